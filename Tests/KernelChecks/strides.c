#include "strides.h"

#include <math.h>

long check_random_strides(long rank, const long *shape, bool is_ordered, bool has_gaps, long *strides) {
  long order[prunec_max_rank];
  for (long axis = 0; axis < rank; axis++) order[axis] = axis;
  for (long axis = is_ordered ? 0 : rank - 1; axis > 0; axis--) {
    long other = check_random(0, axis), kept = order[axis];
    order[axis] = order[other];
    order[other] = kept;
  }
  long stride = 1, span = 1;
  for (long axis = rank - 1; axis >= 0; axis--) {
    strides[order[axis]] = stride;
    span += stride * (shape[order[axis]] - 1);
    stride *= shape[order[axis]];
    if (has_gaps) stride += check_random(0, 3);
  }
  return span;
}

long check_offset(long number, long rank, const long *shape, const long *strides) {
  long offset = 0;
  for (long axis = rank - 1; axis >= 0; axis--) {
    offset += number % shape[axis] * strides[axis];
    number /= shape[axis];
  }
  return offset;
}

long check_places(long rank, const long *shape) {
  long places = 1;
  for (long axis = 0; axis < rank; axis++) places *= shape[axis];
  return places;
}

float *check_buffer_between(long count, float low, float high) {
  float *buffer = check_random_buffer(count);
  for (long i = 0; i < count; i++) buffer[i] = low + (high - low) * (buffer[i] + 1) / 2;
  return buffer;
}

bool check_is_result(double y, double expected, double tolerance) {
  if (isnan(expected)) return isnan(y);
  if (isinf(expected)) return y == expected;
  return fabs(y - expected) <= tolerance * (1 + fabs(expected));
}

void check_agreement(const char *what, const float *y, const float *expected, long count, double tolerance) {
  for (long i = 0; i < count; i++) {
    if (check_is_blank(expected[i])) {
      if (!check_is_blank(y[i])) check_fail("%s: element %ld of %ld is written", what, i, count);
    } else if (check_is_blank(y[i])) {
      check_fail("%s: element %ld of %ld is left out", what, i, count);
    } else if (!check_is_result(y[i], expected[i], tolerance)) {
      check_fail("%s: element %ld of %ld is %g, not %g", what, i, count, (double)y[i], (double)expected[i]);
    }
  }
}
