/// Checks of softmax, normalization and reductions.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "row_checks.h"
#include "strides.h"

/// Strides of rows: `length` elements at stride one, the rows' places around them.
static long row_strides(long rank, const long *shape, long length, long *strides) {
  long stride = length + check_random(0, 2), span = length;
  for (long axis = rank - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    span += stride * (shape[axis] - 1);
    stride = stride * shape[axis] + check_random(0, 1) * 5;
  }
  if (rank > 1 && check_random(0, 1) && shape[0] == shape[1]) {
    long kept = strides[0];
    strides[0] = strides[1];
    strides[1] = kept;
  }
  return span;
}

const char *prunec_check_softmax(const prunec_kernels *kernels) {
  check_begin();
  for (long i = 0; i < 200; i++) {
    prunec_softmax p = {.is_logarithm = check_random(0, 2) == 0, .rank = check_random(0, 3)};
    for (long axis = 0; axis < p.rank; axis++) p.shape[axis] = 1 + check_random(0, 4);
    p.length = 1 + check_random(0, (i % 7 == 0 ? 400 : 70) - 1);
    long x_span = row_strides(p.rank, p.shape, p.length, p.x_strides);
    long y_span = row_strides(p.rank, p.shape, p.length, p.y_strides);
    float range = i % 5 == 0 ? 80 : 6;
    float *x = check_buffer_between(x_span, -range, range);
    float *y = check_blank_buffer(y_span), *expected = check_blank_buffer(y_span);
    float *in_place = check_buffer((size_t)x_span * sizeof(float));
    // Masks are what rows with infinities come from.
    if (i % 4 == 0 && p.length > 1)
      for (long row = 0; row < check_places(p.rank, p.shape); row++)
        x[check_offset(row, p.rank, p.shape, p.x_strides) + check_random(0, p.length - 1)] = -INFINITY;
    memcpy(in_place, x, (size_t)x_span * sizeof(float));
    for (long row = 0; row < check_places(p.rank, p.shape); row++) {
      const float *from = x + check_offset(row, p.rank, p.shape, p.x_strides);
      float *to = expected + check_offset(row, p.rank, p.shape, p.y_strides);
      float *also = in_place + check_offset(row, p.rank, p.shape, p.x_strides);
      double maximum = -INFINITY, sum = 0;
      for (long k = 0; k < p.length; k++) maximum = fmax(maximum, from[k]);
      for (long k = 0; k < p.length; k++) sum += exp(from[k] - maximum);
      for (long k = 0; k < p.length; k++)
        also[k] = to[k] =
            (float)(p.is_logarithm ? from[k] - maximum - log(sum) : exp(from[k] - maximum) / sum);
    }
    p.x = x;
    p.y = y;
    CHECK_RUN(kernels, softmax, &p);
    check_agreement("softmax", y, expected, y_span, 1e-6);
    p.y = x;
    memcpy(p.y_strides, p.x_strides, sizeof p.x_strides);
    CHECK_RUN(kernels, softmax, &p);
    check_agreement("softmax in place", x, in_place, x_span, 1e-6);
    check_free(x);
    check_free(y);
    check_free(expected);
    check_free(in_place);
  }
  return check_result();
}

const char *prunec_check_row_normalization(const prunec_kernels *kernels) {
  check_begin();
  for (long i = 0; i < 200; i++) {
    prunec_row_normalization p = {
      .keeps_mean = check_random(0, 1), .epsilon = 1e-5f, .rank = check_random(0, 3)};
    for (long axis = 0; axis < p.rank; axis++) p.shape[axis] = 1 + check_random(0, 4);
    p.length = 1 + check_random(0, (i % 7 == 0 ? 900 : 70) - 1);
    long x_span = row_strides(p.rank, p.shape, p.length, p.x_strides);
    long y_span = row_strides(p.rank, p.shape, p.length, p.y_strides);
    float *x = check_buffer_between(x_span, -1, 3);
    float *y = check_blank_buffer(y_span), *expected = check_blank_buffer(y_span);
    float *scale = check_random(0, 2) ? check_buffer_between(p.length, -1, 1) : NULL;
    float *bias = check_random(0, 2) ? check_buffer_between(p.length, -1, 1) : NULL;
    for (long row = 0; row < check_places(p.rank, p.shape); row++) {
      const float *from = x + check_offset(row, p.rank, p.shape, p.x_strides);
      float *to = expected + check_offset(row, p.rank, p.shape, p.y_strides);
      double mean = 0, squares = 0;
      for (long k = 0; k < p.length; k++) mean += from[k];
      mean = p.keeps_mean ? 0 : mean / (double)p.length;
      for (long k = 0; k < p.length; k++) squares += (from[k] - mean) * (from[k] - mean);
      double factor = 1 / sqrt(squares / (double)p.length + p.epsilon);
      for (long k = 0; k < p.length; k++)
        to[k] = (float)((from[k] - mean) * factor * (scale ? scale[k] : 1) + (bias ? bias[k] : 0));
    }
    p.x = x;
    p.y = y;
    p.scale = scale;
    p.bias = bias;
    CHECK_RUN(kernels, row_normalization, &p);
    check_agreement("row_normalization", y, expected, y_span, p.length < 3 ? 1e-3 : 1e-5);
    check_free(x);
    check_free(y);
    check_free(expected);
    check_free(scale);
    check_free(bias);
  }
  return check_result();
}

const char *prunec_check_group_normalization(const prunec_kernels *kernels) {
  check_begin();
  for (long i = 0; i < 200; i++) {
    prunec_group_normalization p = {
      .epsilon = 1e-5f, .batch = 1 + check_random(0, 2), .groups = 1 + check_random(0, 39),
      .channels = check_random(1, i % 4 == 0 ? 150 : 6), .pixels = check_random(1, i % 7 == 0 ? 300 : 30),
    };
    long channels = p.groups * p.channels;
    p.x_pixel = channels + check_random(0, 2);
    p.y_pixel = channels + check_random(0, 2);
    p.x_batch = p.x_pixel * p.pixels + check_random(0, 2);
    p.y_batch = p.y_pixel * p.pixels + check_random(0, 2);
    long x_span = p.x_batch * (p.batch - 1) + p.x_pixel * (p.pixels - 1) + channels;
    long y_span = p.y_batch * (p.batch - 1) + p.y_pixel * (p.pixels - 1) + channels;
    float *x = check_buffer_between(x_span, -1, 3);
    float *y = check_blank_buffer(y_span), *expected = check_blank_buffer(y_span);
    float *scale = check_random(0, 2) ? check_buffer_between(channels, -1, 1) : NULL;
    float *bias = check_random(0, 2) ? check_buffer_between(channels, -1, 1) : NULL;
    double elements = (double)(p.pixels * p.channels);
    for (long item = 0; item < p.batch; item++)
      for (long group = 0; group < p.groups; group++) {
        double mean = 0, squares = 0;
        for (long pass = 0; pass < 3; pass++)
          for (long pixel = 0; pixel < p.pixels; pixel++)
            for (long c = group * p.channels; c < (group + 1) * p.channels; c++) {
              double number = x[item * p.x_batch + pixel * p.x_pixel + c];
              if (pass == 0) mean += number / elements;
              else if (pass == 1) squares += (number - mean) * (number - mean) / elements;
              else
                expected[item * p.y_batch + pixel * p.y_pixel + c] =
                    (float)((number - mean) / sqrt(squares + p.epsilon) * (scale ? scale[c] : 1)
                            + (bias ? bias[c] : 0));
            }
      }
    p.x = x;
    p.y = y;
    p.scale = scale;
    p.bias = bias;
    CHECK_RUN(kernels, group_normalization, &p);
    check_agreement("group_normalization", y, expected, y_span, elements < 3 ? 1e-3 : 1e-5);
    check_free(x);
    check_free(y);
    check_free(expected);
    check_free(scale);
    check_free(bias);
  }
  return check_result();
}

const char *prunec_check_reduction(const prunec_kernels *kernels) {
  check_begin();
  for (long i = 0; i < 600; i++) {
    prunec_reduction p = {
      .kind = (prunec_reduction_kind)(i % 8),
      .kept_rank = check_random(0, 3), .reduced_rank = check_random(0, 3)};
    static const long extents[] = {1, 2, 3, 5, 9, 16, 33};
    long shape[prunec_max_rank], strides[prunec_max_rank], rank = p.kept_rank + p.reduced_rank;
    for (long axis = 0; axis < rank; axis++) shape[axis] = extents[check_random(0, (rank > 4 ? 4 : 6) - 1)];
    if (p.reduced_rank == 1 && check_random(0, 1)) shape[rank - 1] = 1 + check_random(0, 299);
    if (p.kept_rank == 1 && check_random(0, 1)) shape[0] = 1 + check_random(0, 299);
    long span = check_random_strides(rank, shape, false, check_random(0, 1), strides);
    for (long axis = 0; axis < rank; axis++) {
      bool is_kept = axis < p.kept_rank;
      (is_kept ? p.kept_shape : p.reduced_shape)[is_kept ? axis : axis - p.kept_rank] = shape[axis];
      (is_kept ? p.x_kept : p.x_reduced)[is_kept ? axis : axis - p.kept_rank] = strides[axis];
    }
    long y_span = check_random_strides(p.kept_rank, p.kept_shape, false, check_random(0, 1), p.y_strides);
    bool is_product = p.kind == prunec_reduce_product;
    float *x = check_buffer_between(span, is_product ? 0.9f : -2, is_product ? 1.1f : 2);
    if (i % 16 > 8) x[check_random(0, span - 1)] = NAN;
    float *y = check_blank_buffer(y_span), *expected = check_blank_buffer(y_span);
    long places = check_places(p.reduced_rank, p.reduced_shape);
    for (long kept = 0; kept < check_places(p.kept_rank, p.kept_shape); kept++) {
      double total = is_product;
      if (p.kind == prunec_reduce_maximum) total = -INFINITY;
      if (p.kind == prunec_reduce_minimum) total = INFINITY;
      for (long reduced = 0; reduced < places; reduced++) {
        double number = x[check_offset(kept, p.kept_rank, p.kept_shape, p.x_kept)
                          + check_offset(reduced, p.reduced_rank, p.reduced_shape, p.x_reduced)];
        switch (p.kind) {
        case prunec_reduce_sum: case prunec_reduce_mean: total += number; break;
        case prunec_reduce_maximum: total = number > total || isnan(number) ? number : total; break;
        case prunec_reduce_minimum: total = number < total || isnan(number) ? number : total; break;
        case prunec_reduce_product: total *= number; break;
        case prunec_reduce_sum_of_squares: case prunec_reduce_l2: total += number * number; break;
        case prunec_reduce_l1: total += fabs(number); break;
        }
      }
      if (p.kind == prunec_reduce_mean) total /= (double)places;
      if (p.kind == prunec_reduce_l2) total = sqrt(total);
      expected[check_offset(kept, p.kept_rank, p.kept_shape, p.y_strides)] = (float)total;
    }
    p.x = x;
    p.y = y;
    CHECK_RUN(kernels, reduction, &p);
    check_agreement("reduction", y, expected, y_span, 2e-5);
    check_free(x);
    check_free(y);
    check_free(expected);
  }
  return check_result();
}
