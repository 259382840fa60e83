/// What checks of kernels with strides share.
#ifndef PRUNEC_STRIDES_H
#define PRUNEC_STRIDES_H

#include "check.h"

/// Strides of a shape whose axes lie in this or in some other order, with gaps or without; returns how many
/// elements they span.
long check_random_strides(long rank, const long *shape, bool is_ordered, bool has_gaps, long *strides);

/// The offset of place `number` of a shape.
long check_offset(long number, long rank, const long *shape, const long *strides);

long check_places(long rank, const long *shape);

/// A buffer of exactly so many numbers from `low` to `high`.
float *check_buffer_between(long count, float low, float high);

/// Fails where buffers differ by more than `tolerance` times (1 + |expected|): where `expected` is blank, y
/// has to be blank, too.
void check_agreement(const char *what, const float *y, const float *expected, long count, double tolerance);

/// Whether a result is near what is expected, infinities and what is not a number included.
bool check_is_result(double y, double expected, double tolerance);

#endif
