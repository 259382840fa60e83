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
#include "pooling.h"
#include "peak.h"

#define PRUNEC_ENTRY(NAME) .NAME##_units = NAME##_units, .NAME = NAME

const prunec_kernels PRUNEC_TABLE = {
  .name = PRUNEC_NAME,
  .vector_width = PRUNEC_WIDTH,
  .packed_size = packed_size,
  PRUNEC_ENTRY(packing),
  PRUNEC_ENTRY(product),
  PRUNEC_ENTRY(depthwise),
  PRUNEC_ENTRY(pooling),
  PRUNEC_ENTRY(peak),
  .peak_operations = 2 * peak_chains * width,
};
