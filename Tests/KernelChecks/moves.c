/// Checks of copies, gathers and resizes.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "row_checks.h"
#include "strides.h"

/// What no copy writes, as far as a test can tell: few bytes of x are.
enum { blank_byte = 77 };

static uint8_t *blank_bytes(long count) {
  uint8_t *y = check_buffer((size_t)count);
  memset(y, blank_byte, (size_t)count);
  return y;
}

static uint8_t *random_bytes(long count) {
  uint8_t *x = check_buffer((size_t)count);
  for (long i = 0; i < count; i++) x[i] = (uint8_t)check_random(0, 255);
  return x;
}

const char *prunec_check_copy(const prunec_kernels *kernels) {
  check_begin();
  for (long i = 0; i < 600; i++) {
    prunec_copy p = {.element_size = 1 << check_random(0, 3), .rank = check_random(0, 4)};
    if (i % 2) p.element_size = 4;
    static const long extents[] = {1, 2, 3, 4, 5, 7, 17, 33, 70};
    for (long axis = 0; axis < p.rank; axis++) p.shape[axis] = extents[check_random(0, p.rank > 2 ? 6 : 8)];
    if (p.rank == 1 && i % 3 == 0) p.shape[0] = 20000;
    long x_span = check_random_strides(p.rank, p.shape, check_random(0, 1), check_random(0, 1), p.x_strides);
    long y_span = check_random_strides(p.rank, p.shape, check_random(0, 1), check_random(0, 1), p.y_strides);
    long start = 0;
    for (long axis = 0; axis < p.rank && i % 5 == 0; axis++) {
      // Broadcast or backwards.
      if (check_random(0, 2) == 0) p.x_strides[axis] = 0;
      else if (check_random(0, 2) == 0) {
        start += p.x_strides[axis] * (p.shape[axis] - 1);
        p.x_strides[axis] = -p.x_strides[axis];
      }
    }
    uint8_t *x = random_bytes(x_span * p.element_size);
    uint8_t *y = blank_bytes(y_span * p.element_size), *expected = blank_bytes(y_span * p.element_size);
    for (long place = 0; place < check_places(p.rank, p.shape); place++) {
      long from = start + check_offset(place, p.rank, p.shape, p.x_strides);
      long to = check_offset(place, p.rank, p.shape, p.y_strides);
      memcpy(expected + to * p.element_size, x + from * p.element_size, (size_t)p.element_size);
    }
    p.x = x + start * p.element_size;
    p.y = y;
    CHECK_RUN(kernels, copy, &p);
    if (memcmp(y, expected, (size_t)(y_span * p.element_size)) != 0)
      check_fail("copy of elements of %ld bytes, rank %ld", p.element_size, p.rank);
    check_free(x);
    check_free(y);
    check_free(expected);
  }
  return check_result();
}

const char *prunec_check_gather(const prunec_kernels *kernels) {
  check_begin();
  for (long i = 0; i < 100; i++) {
    prunec_gather p = {
      .outer = check_random(1, 4), .count = check_random(1, 20), .inner = check_random(1, 40)};
    long places = 1 + check_random(0, 8);
    p.x_row = p.inner + check_random(0, 2);
    p.y_row = p.inner + check_random(0, 2);
    p.x_outer = p.x_row * places + check_random(0, 2);
    p.y_outer = p.y_row * p.count + check_random(0, 2);
    long x_span = p.x_outer * (p.outer - 1) + p.x_row * (places - 1) + p.inner;
    long y_span = p.y_outer * (p.outer - 1) + p.y_row * (p.count - 1) + p.inner;
    int64_t *index = check_buffer((size_t)p.count * sizeof(int64_t));
    for (long k = 0; k < p.count; k++) index[k] = check_random(0, places - 1);
    uint8_t *x = random_bytes(x_span), *y = blank_bytes(y_span), *expected = blank_bytes(y_span);
    for (long outer = 0; outer < p.outer; outer++)
      for (long k = 0; k < p.count; k++)
        memcpy(expected + outer * p.y_outer + k * p.y_row, x + outer * p.x_outer + index[k] * p.x_row,
            (size_t)p.inner);
    p.x = x;
    p.y = y;
    p.index = index;
    CHECK_RUN(kernels, gather, &p);
    if (memcmp(y, expected, (size_t)y_span) != 0)
      check_fail("gather of %ld rows of %ld bytes", p.count, p.inner);
    check_free(x);
    check_free(y);
    check_free(expected);
    check_free(index);
  }
  return check_result();
}

const char *prunec_check_resize(const prunec_kernels *kernels) {
  check_begin();
  for (long i = 0; i < 100; i++) {
    prunec_resize p = {.batch = 1 + check_random(0, 2), .channels = 1 + check_random(0, 39),
                       .out_height = 1 + check_random(0, 6), .out_width = 1 + check_random(0, 6)};
    long in_height = 1 + check_random(0, 4), in_width = 1 + check_random(0, 4);
    p.x_pixel = p.channels + check_random(0, 2);
    p.x_row = p.x_pixel * in_width + check_random(0, 2);
    p.x_batch = p.x_row * in_height + check_random(0, 2);
    p.y_pixel = p.channels + check_random(0, 2);
    p.y_row = p.y_pixel * p.out_width + check_random(0, 2);
    p.y_batch = p.y_row * p.out_height + check_random(0, 2);
    long x_span =
        p.x_batch * (p.batch - 1) + p.x_row * (in_height - 1) + p.x_pixel * (in_width - 1) + p.channels;
    long y_span =
        p.y_batch * (p.batch - 1) + p.y_row * (p.out_height - 1) + p.y_pixel * (p.out_width - 1) + p.channels;
    float *x = check_buffer_between(x_span, -1, 3);
    float *y = check_blank_buffer(y_span), *expected = check_blank_buffer(y_span);
    int32_t *places[4];
    float *weights[4];
    bool has_two_rows = check_random(0, 1), has_two_columns = check_random(0, 1);
    for (long k = 0; k < 4; k++) {
      long count = k < 2 ? p.out_height : p.out_width, extent = k < 2 ? in_height : in_width;
      bool is_there = k % 2 == 0 || (k < 2 ? has_two_rows : has_two_columns);
      places[k] = is_there ? check_buffer((size_t)count * sizeof(int32_t)) : NULL;
      weights[k] = is_there ? check_buffer_between(count, 0, 1) : NULL;
      if (is_there)
        for (long j = 0; j < count; j++) {
          places[k][j] = (int32_t)check_random(0, extent - 1);
          if (i % 3 == 0) weights[k][j] = 1;
        }
      (k < 2 ? p.rows : p.columns)[k % 2] = places[k];
      (k < 2 ? p.row_weights : p.column_weights)[k % 2] = weights[k];
    }
    for (long item = 0; item < p.batch; item++)
      for (long row = 0; row < p.out_height; row++)
        for (long column = 0; column < p.out_width; column++)
          for (long c = 0; c < p.channels; c++) {
            double sum = 0;
            for (long r = 0; r <= has_two_rows; r++)
              for (long s = 0; s <= has_two_columns; s++)
                sum += (double)p.row_weights[r][row] * p.column_weights[s][column]
                  * x[item * p.x_batch + p.rows[r][row] * p.x_row + p.columns[s][column] * p.x_pixel + c];
            expected[item * p.y_batch + row * p.y_row + column * p.y_pixel + c] = (float)sum;
          }
    p.x = x;
    p.y = y;
    CHECK_RUN(kernels, resize, &p);
    check_agreement("resize", y, expected, y_span, 1e-6);
    check_free(x);
    check_free(y);
    check_free(expected);
    for (long k = 0; k < 4; k++) {
      check_free(places[k]);
      check_free(weights[k]);
    }
  }
  return check_result();
}
