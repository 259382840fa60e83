/// Comparisons of the kernels with plain loops in double precision, over odd sizes.
#ifndef PRUNEC_KERNEL_CHECKS_H
#define PRUNEC_KERNEL_CHECKS_H

#include "kernels.h"

/// Each returns null where all is well, or what went wrong first: text that stays valid until the same thread's
/// next call.
const char *prunec_check_product(const prunec_kernels *);
const char *prunec_check_depthwise(const prunec_kernels *);
const char *prunec_check_winograd(const prunec_kernels *);
const char *prunec_check_pooling(const prunec_kernels *);
const char *prunec_check_thread_pool(void);

#endif
