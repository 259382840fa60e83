/// Comparisons of the kernels of programs, rows and moves with plain loops in double precision.
#ifndef PRUNEC_ROW_CHECKS_H
#define PRUNEC_ROW_CHECKS_H

#include "kernels.h"

/// As those of `kernel_checks.h`: null where all is well, or what went wrong first.
const char *prunec_check_functions(const prunec_kernels *);
const char *prunec_check_programs(const prunec_kernels *);
const char *prunec_check_softmax(const prunec_kernels *);
const char *prunec_check_row_normalization(const prunec_kernels *);
const char *prunec_check_group_normalization(const prunec_kernels *);
const char *prunec_check_reduction(const prunec_kernels *);
const char *prunec_check_copy(const prunec_kernels *);
const char *prunec_check_gather(const prunec_kernels *);
const char *prunec_check_resize(const prunec_kernels *);

#endif
