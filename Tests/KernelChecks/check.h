/// What the checks share: random numbers, buffers of exact size, and the account of what went wrong.
#ifndef PRUNEC_CHECK_H
#define PRUNEC_CHECK_H

#include "kernels.h"

/// Starts a check. The same numbers follow each time.
void check_begin(void);

/// An integer from `low` to `high`.
long check_random(long low, long high);

/// A number from -1 to 1.
float check_random_float(void);

/// A buffer of exactly so many numbers, which are random. The memory behind it, or in front of it, may not
/// be touched. Free it by `check_free`.
float *check_random_buffer(long count);

/// A buffer of exactly so many numbers that no kernel writes, to see which places are written.
float *check_blank_buffer(long count);
bool check_is_blank(float);

/// A buffer of so many bytes, of the same kind, for everything else.
void *check_buffer(size_t size);

/// Frees a buffer, or what malloc gave.
void check_free(void *);

/// Notes the first failure, in printf's manner.
__attribute__((format(printf, 1, 2))) void check_fail(const char *format, ...);

/// What the check has to say: null where nothing failed.
const char *check_result(void);

/// Whether y is within `tolerance` of x.
bool check_is_near(float y, double x, double tolerance);

/// One of the functions with parameters that suit it, and what it does.
prunec_activation check_random_activation(void);
double check_activate(prunec_activation, double);

/// Calls a kernel for all of its units, in ranges of random lengths.
#define CHECK_RUN(KERNELS, NAME, ARGUMENTS) \
  do { \
    long units_ = (KERNELS)->NAME##_units(ARGUMENTS); \
    for (long begin_ = 0, end_; begin_ < units_; begin_ = end_) { \
      end_ = begin_ + check_random(1, units_ - begin_); \
      (KERNELS)->NAME(ARGUMENTS, begin_, end_); \
    } \
  } while (0)

#endif
