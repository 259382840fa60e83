/// The kernels for every processor, in vectors of four that all compilers know.

#include "kernels.h"
#include "variants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined __SSE2__
#include <emmintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#define PRUNEC_TABLE prunec_kernels_baseline
#if defined __aarch64__
#define PRUNEC_NAME "neon"
#else
#define PRUNEC_NAME "baseline"
#endif
#define PRUNEC_WIDTH 4
#include "template/table.h"
