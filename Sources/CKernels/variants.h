/// The tables of kernels that dispatch chooses from.
#ifndef PRUNEC_VARIANTS_H
#define PRUNEC_VARIANTS_H

#include "kernels.h"

extern const prunec_kernels prunec_kernels_baseline;
#if defined __x86_64__
extern const prunec_kernels prunec_kernels_avx2, prunec_kernels_avx512;
#endif

#endif
