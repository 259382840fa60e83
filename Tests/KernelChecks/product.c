#include <math.h>
#include <string.h>

#include "check.h"
#include "kernel_checks.h"

/// How many places of x a window's taps may begin at, plus one: the size of the output without a remainder.
static long outputs(long size, long pads, long reach, long stride) {
  return (size + pads - reach - 1) / stride + 1;
}

static prunec_product random_product(void) {
  prunec_product a = {
    .batch = check_random(1, 2),
    .groups = check_random(0, 3) ? 1 : check_random(2, 3),
    .in_channels = check_random(1, check_random(0, 3) ? 9 : 40),
    .out_channels = check_random(1, check_random(0, 3) ? 33 : 90),
    .in_height = check_random(1, 7),
    .in_width = check_random(1, 9),
    .kernel_height = 1, .kernel_width = 1, .stride_height = 1, .stride_width = 1,
    .dilation_height = 1, .dilation_width = 1,
    .pixel_block = check_random(1, 40),
    .stage_size = check_random(0, 2) ? 1 << 20 : check_random(1, 1 << check_random(1, 14)),
    .adds_last = check_random(0, 1),
    .activation = check_random_activation(),
  };
  long bottom = 0, right = 0;
  if (check_random(0, 2)) {
    a.kernel_height = check_random(1, 5);
    a.kernel_width = check_random(1, 5);
    a.stride_height = check_random(1, 2);
    a.stride_width = check_random(1, 3);
    a.dilation_height = check_random(1, 2);
    a.dilation_width = check_random(0, 3) ? 1 : 2;
    if (check_random(0, 2)) {
      a.pad_top = check_random(0, 2), a.pad_left = check_random(0, 3);
      bottom = check_random(0, 2), right = check_random(0, 3);
    }
    if (check_random(0, 40) == 0) {
      // More taps than a tile is given at once.
      a.kernel_height = 9, a.kernel_width = 13;
      a.in_height += 8, a.in_width += 12;
    }
  }
  long high = (a.kernel_height - 1) * a.dilation_height, wide = (a.kernel_width - 1) * a.dilation_width;
  if (a.in_height + a.pad_top + bottom <= high) a.in_height = high + 1;
  if (a.in_width + a.pad_left + right <= wide) a.in_width = wide + 1;
  a.out_height = outputs(a.in_height, a.pad_top + bottom, high, a.stride_height);
  a.out_width = outputs(a.in_width, a.pad_left + right, wide, a.stride_width);
  return a;
}

static double expected(
    const prunec_product *a, const prunec_packing *p, const float *before, long b, long g, long i, long j,
    long o, double *magnitude) {
  double sum = a->bias ? a->bias[g * a->out_channels + o] : 0;
  *magnitude = 1 + fabs(sum);
  for (long u = 0; u < a->kernel_height; u++) {
    for (long v = 0; v < a->kernel_width; v++) {
      long y = i * a->stride_height - a->pad_top + u * a->dilation_height;
      long x = j * a->stride_width - a->pad_left + v * a->dilation_width;
      if (y < 0 || y >= a->in_height || x < 0 || x >= a->in_width) continue;
      for (long c = 0; c < a->in_channels; c++) {
        double product = (double)a->x[b * a->x_batch + g * a->x_group + y * a->x_row + x * a->x_pixel + c] *
                         p->w[b * p->w_batch + g * p->w_group + o * p->output + c * p->input +
                              u * p->kernel_row + v * p->kernel_column] * p->scale;
        sum += product;
        *magnitude += fabs(product);
      }
    }
  }
  double addend = 0;
  if (a->addend) {
    const float *source = a->addend == a->y ? before : a->addend;
    addend = source[b * a->addend_batch + g * a->addend_group + i * a->addend_row + j * a->addend_pixel + o];
  }
  if (a->adds_last) return check_activate(a->activation, sum) + addend;
  return check_activate(a->activation, sum + addend);
}

static void check_one(const prunec_kernels *k) {
  prunec_product a = random_product();

  // Weights whose axes lie in some order.
  prunec_packing p = {
    .batch = check_random(0, 3) ? 1 : a.batch, .groups = a.groups,
    .out_channels = a.out_channels, .in_channels = a.in_channels,
    .kernel_height = a.kernel_height, .kernel_width = a.kernel_width,
    .scale = check_random(0, 1) ? 1 : 0.37f,
  };
  long taps = a.kernel_height * a.kernel_width, count = taps * a.in_channels * a.out_channels;
  switch (check_random(0, 2)) {
  case 0:
    p.kernel_column = 1, p.kernel_row = a.kernel_width, p.input = taps, p.output = taps * a.in_channels;
    break;
  case 1:
    p.output = 1, p.input = a.out_channels, p.kernel_column = p.input * a.in_channels;
    p.kernel_row = p.kernel_column * a.kernel_width;
    break;
  default:
    p.input = 1, p.output = a.in_channels, p.kernel_column = p.output * a.out_channels;
    p.kernel_row = p.kernel_column * a.kernel_width;
  }
  p.w_group = count;
  p.w_batch = p.batch > 1 ? count * a.groups : 0;
  long packed = k->packed_size(a.out_channels, a.in_channels, taps);
  float *w = check_random_buffer(count * p.groups * p.batch);
  p.w = w;
  p.packed = check_blank_buffer(packed * p.groups * p.batch);
  CHECK_RUN(k, packing, &p);
  for (long i = 0; i < packed * p.groups * p.batch; i++)
    if (check_is_blank(p.packed[i])) check_fail("packing leaves a place out");
  a.weights = p.packed;
  a.weights_group = packed;
  a.weights_batch = p.batch > 1 ? packed * a.groups : 0;

  // Pixels next to each other or not, with a part of them that is somebody else's.
  a.x_group = a.in_channels;
  a.x_pixel = a.groups * a.in_channels + (check_random(0, 1) ? 0 : check_random(1, 5));
  a.x_row = a.in_width * a.x_pixel + (check_random(0, 1) ? 0 : check_random(1, 5));
  a.x_batch = a.in_height * a.x_row;
  float *x = check_random_buffer(
      (a.batch - 1) * a.x_batch + (a.in_height - 1) * a.x_row + (a.in_width - 1) * a.x_pixel +
      a.groups * a.in_channels);
  a.x = x;
  a.y_group = a.out_channels;
  a.y_pixel = a.groups * a.out_channels + (check_random(0, 1) ? 0 : check_random(1, 5));
  a.y_row = a.out_width * a.y_pixel + (check_random(0, 1) ? 0 : check_random(1, 5));
  a.y_batch = a.out_height * a.y_row;
  long y_count = (a.batch - 1) * a.y_batch + (a.out_height - 1) * a.y_row + (a.out_width - 1) * a.y_pixel +
                 a.groups * a.out_channels;
  a.y = check_blank_buffer(y_count);
  float *bias = check_random_buffer(a.groups * a.out_channels), *zeros = check_random_buffer(a.in_channels);
  memset(zeros, 0, (size_t)a.in_channels * sizeof *zeros);
  if (check_random(0, 2)) a.bias = bias;
  a.zeros = zeros;

  float *addend = NULL, *before = check_blank_buffer(y_count);
  switch (check_random(0, 4)) {
  case 0:  // an addend of y's shape
    addend = check_random_buffer(y_count);
    a.addend = addend;
    a.addend_batch = a.y_batch, a.addend_group = a.y_group;
    a.addend_row = a.y_row, a.addend_pixel = a.y_pixel;
    break;
  case 1:  // one pixel for all
    addend = check_random_buffer(a.groups * a.out_channels);
    a.addend = addend;
    a.addend_group = a.out_channels;
    break;
  case 2:  // y
    a.addend = a.y;
    a.adds_last = false;
    a.addend_batch = a.y_batch, a.addend_group = a.y_group;
    a.addend_row = a.y_row, a.addend_pixel = a.y_pixel;
    for (long i = 0; i < y_count; i++) {
      long lane = i % a.y_batch % a.y_row % a.y_pixel;
      if (lane < a.groups * a.out_channels && i % a.y_batch % a.y_row < a.out_width * a.y_pixel)
        a.y[i] = before[i] = check_random_float();
    }
    break;
  }
  CHECK_RUN(k, product, &a);

  for (long i = 0; i < y_count; i++) {
    long batch = i / a.y_batch, row = i % a.y_batch / a.y_row, place = i % a.y_batch % a.y_row;
    long column = place / a.y_pixel, lane = place % a.y_pixel;
    if (column >= a.out_width || lane >= a.groups * a.out_channels) {
      if (!check_is_blank(a.y[i])) check_fail("product writes outside of its channels");
      continue;
    }
    double magnitude;
    double y = expected(
        &a, &p, before, batch, lane / a.out_channels, row, column, lane % a.out_channels, &magnitude);
    if (!check_is_near(a.y[i], y, 1e-6 * magnitude + 1e-6))
      check_fail(
          "product %ldx%ldx%ld to %ldx%ldx%ld, %ld groups, %ldx%ld kernel: "
          "y[%ld, %ld, %ld] is %g instead of %g (activation %d, addend %d, last %d)",
          a.in_height, a.in_width, a.in_channels, a.out_height, a.out_width, a.out_channels, a.groups,
          a.kernel_height, a.kernel_width, row, column, lane, a.y[i], y, (int)a.activation.function,
          a.addend != NULL, a.adds_last);
  }
  float *buffers[] = {w, p.packed, x, a.y, bias, zeros, addend, before};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) check_free(buffers[i]);
}

const char *prunec_check_product(const prunec_kernels *kernels) {
  check_begin();
  for (int i = 0; i < 1500 && !check_result(); i++) check_one(kernels);
  return check_result();
}
