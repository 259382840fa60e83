/// All kernels of one instruction set, and their table. A variant includes this text once.

#include "vector.h"
#include "math.h"
#include "activation.h"
#include "epilogue.h"
#include "panels.h"
#include "packing.h"
#include "tile.h"
#include "product.h"
#include "depthwise.h"
#include "winograd.h"
#include "pooling.h"
#include "axes.h"
#include "program.h"
#include "reduction.h"
#include "softmax.h"
#include "normalization.h"
#include "copy.h"
#include "resize.h"
#include "peak.h"

#define PRUNEC_ENTRY(NAME) .NAME##_units = NAME##_units, .NAME = NAME

const prunec_kernels PRUNEC_TABLE = {
  .name = PRUNEC_NAME,
  .vector_width = PRUNEC_WIDTH,
  .packed_size = packed_size,
  PRUNEC_ENTRY(packing),
  PRUNEC_ENTRY(product),
  PRUNEC_ENTRY(depthwise),
  PRUNEC_ENTRY(winograd_input),
  PRUNEC_ENTRY(winograd_output),
  PRUNEC_ENTRY(pooling),
  PRUNEC_ENTRY(program),
  PRUNEC_ENTRY(softmax),
  PRUNEC_ENTRY(row_normalization),
  PRUNEC_ENTRY(group_normalization),
  PRUNEC_ENTRY(reduction),
  PRUNEC_ENTRY(copy),
  PRUNEC_ENTRY(gather),
  PRUNEC_ENTRY(resize),
  PRUNEC_ENTRY(peak),
  .peak_operations = 2 * peak_chains * width,
};
