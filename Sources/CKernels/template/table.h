/// All kernels of one instruction set, and their table. A variant includes this text once.

#include "vector.h"

#define PRUNEC_ENTRY(NAME) .NAME##_units = NAME##_units, .NAME = NAME

const prunec_kernels PRUNEC_TABLE = {
  .name = PRUNEC_NAME,
  .vector_width = PRUNEC_WIDTH,
};
