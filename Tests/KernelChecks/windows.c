/// Depthwise convolutions, the transforms of Winograd's convolution, and poolings.

#include <math.h>

#include "check.h"
#include "kernel_checks.h"

/// One axis of a window: what the kernels' arguments say of it.
typedef struct {
  long in, out, kernel, stride, dilation, before, after;
} axis;

static axis random_axis(void) {
  axis a = {
    .in = check_random(1, 20),
    .kernel = check_random(0, 1) ? 2 * check_random(1, 3) + 1 : check_random(1, 5),
    .stride = check_random(0, 3) ? check_random(1, 2) : 3,
    .dilation = check_random(0, 3) ? 1 : 2,
    .before = check_random(0, 3),
    .after = check_random(0, 3),
  };
  long reach = (a.kernel - 1) * a.dilation;
  if (a.in + a.before + a.after <= reach) a.in = reach + 1;
  // Rounded up or down: a last window may reach beyond the pads.
  long free = a.in + a.before + a.after - reach - 1;
  a.out = (check_random(0, 1) ? free : free + a.stride - 1) / a.stride + 1;
  return a;
}

/// Strides of `[batch, height, width, channels]` with room in between, and the number of elements.
typedef struct {
  long batch, row, pixel, count;
} layout;

static layout random_layout(long batch, long height, long width, long channels) {
  layout y;
  y.pixel = channels + (check_random(0, 1) ? 0 : check_random(1, 5));
  y.row = width * y.pixel + (check_random(0, 1) ? 0 : check_random(1, 5));
  y.batch = height * y.row;
  y.count = (batch - 1) * y.batch + (height - 1) * y.row + (width - 1) * y.pixel + channels;
  return y;
}

/// Whether a place of y belongs to a pixel's channels, and to which.
static bool locate(layout y, long place, long width, long channels, long index[4]) {
  index[0] = place / y.batch, place %= y.batch;
  index[1] = place / y.row, place %= y.row;
  index[2] = place / y.pixel;
  index[3] = place % y.pixel;
  return index[2] < width && index[3] < channels;
}

static void check_one_depthwise(const prunec_kernels *k) {
  axis high = random_axis(), wide = random_axis();
  prunec_depthwise a = {
    .bands = check_random(1, 5), .batch = check_random(1, 2),
    .channels = check_random(1, check_random(0, 3) ? 35 : 150),
    .in_height = high.in, .in_width = wide.in, .out_height = high.out, .out_width = wide.out,
    .kernel_height = high.kernel, .kernel_width = wide.kernel,
    .stride_height = high.stride, .stride_width = wide.stride,
    .dilation_height = high.dilation, .dilation_width = wide.dilation,
    .pad_top = high.before, .pad_left = wide.before,
    .adds_last = check_random(0, 1),
    .activation = check_random_activation(),
  };
  layout from = random_layout(a.batch, a.in_height, a.in_width, a.channels);
  layout to = random_layout(a.batch, a.out_height, a.out_width, a.channels);
  float *x = check_random_buffer(from.count);
  float *w = check_random_buffer(high.kernel * wide.kernel * a.channels);
  float *bias = check_random_buffer(a.channels), *addend = check_random_buffer(to.count);
  float *before = check_blank_buffer(to.count);
  a.x = x, a.x_batch = from.batch, a.x_row = from.row, a.x_pixel = from.pixel;
  a.weights = w;
  if (check_random(0, 2)) a.bias = bias;
  a.y = check_blank_buffer(to.count), a.y_batch = to.batch, a.y_row = to.row, a.y_pixel = to.pixel;
  long index[4];
  switch (check_random(0, 3)) {
  case 0:
    a.addend = addend;
    a.addend_batch = to.batch, a.addend_row = to.row, a.addend_pixel = to.pixel;
    break;
  case 1:
    a.addend = a.y;
    a.addend_batch = to.batch, a.addend_row = to.row, a.addend_pixel = to.pixel;
    for (long i = 0; i < to.count; i++)
      if (locate(to, i, a.out_width, a.channels, index)) a.y[i] = before[i] = check_random_float();
    break;
  }
  CHECK_RUN(k, depthwise, &a);

  for (long place = 0; place < to.count; place++) {
    if (!locate(to, place, a.out_width, a.channels, index)) {
      if (!check_is_blank(a.y[place])) check_fail("depthwise writes outside of its channels");
      continue;
    }
    double sum = a.bias ? bias[index[3]] : 0;
    for (long u = 0; u < a.kernel_height; u++) {
      for (long v = 0; v < a.kernel_width; v++) {
        long i = index[1] * high.stride - high.before + u * high.dilation;
        long j = index[2] * wide.stride - wide.before + v * wide.dilation;
        if (i < 0 || i >= high.in || j < 0 || j >= wide.in) continue;
        sum += (double)x[index[0] * from.batch + i * from.row + j * from.pixel + index[3]] *
               w[(u * a.kernel_width + v) * a.channels + index[3]];
      }
    }
    double other = a.addend ? (a.addend == a.y ? before : addend)[place] : 0;
    sum = a.adds_last ? check_activate(a.activation, sum) + other : check_activate(a.activation, sum + other);
    if (!check_is_near(a.y[place], sum, 2e-5))
      check_fail(
          "depthwise %ldx%ld to %ldx%ldx%ld, %ldx%ld kernel: y[%ld, %ld, %ld] is %g instead of %g",
          a.in_height, a.in_width, a.out_height, a.out_width, a.channels, a.kernel_height, a.kernel_width,
          index[1], index[2], index[3], a.y[place], sum);
  }
  check_free(x), check_free(w), check_free(bias), check_free(addend), check_free(before), check_free(a.y);
}

const char *prunec_check_depthwise(const prunec_kernels *kernels) {
  check_begin();
  for (int i = 0; i < 600 && !check_result(); i++) check_one_depthwise(kernels);
  return check_result();
}

/// A band of lines of tiles of 2 x 2 pixels.
typedef struct {
  long rows, columns, first, lines;
} tile_band;

static tile_band random_band(long batch, long height, long width) {
  tile_band b = {.rows = (height + 1) / 2, .columns = (width + 1) / 2};
  b.first = check_random(0, batch * b.rows - 1);
  b.lines = check_random(1, batch * b.rows - b.first);
  return b;
}

static void check_one_winograd_input(const prunec_kernels *k) {
  static const double rows[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
  long batch = check_random(1, 2), height = check_random(1, 9), width = check_random(1, 9);
  tile_band band = random_band(batch, height, width);
  prunec_winograd_input a = {
    .channels = check_random(1, 35), .in_height = check_random(1, 11), .in_width = check_random(1, 11),
    .pad_top = check_random(-1, 2), .pad_left = check_random(-1, 2),
    .tile_rows = band.rows, .tile_columns = band.columns, .first_line = band.first, .lines = band.lines,
  };
  layout from = random_layout(batch, a.in_height, a.in_width, a.channels);
  float *x = check_random_buffer(from.count);
  a.x = x, a.x_batch = from.batch, a.x_row = from.row, a.x_pixel = from.pixel;
  long pitch = a.lines * a.tile_columns * a.channels;
  a.v = check_blank_buffer(16 * pitch);
  CHECK_RUN(k, winograd_input, &a);

  for (long place = 0; place < 16 * pitch; place++) {
    long part = place / pitch, channel = place % a.channels, tile = place % pitch / a.channels;
    long line = a.first_line + tile / a.tile_columns, column = tile % a.tile_columns;
    double sum = 0;
    for (long i = 0; i < 16; i++) {
      long u = line % a.tile_rows * 2 - a.pad_top + i / 4, v = column * 2 - a.pad_left + i % 4;
      if (u < 0 || u >= a.in_height || v < 0 || v >= a.in_width) continue;
      sum += rows[part / 4][i / 4] * rows[part % 4][i % 4] *
             x[line / a.tile_rows * from.batch + u * from.row + v * from.pixel + channel];
    }
    if (!check_is_near(a.v[place], sum, 1e-5))
      check_fail("part %ld of tile %ld is %g instead of %g", part, tile, a.v[place], sum);
  }
  check_free(x), check_free(a.v);
}

static void check_one_winograd_output(const prunec_kernels *k) {
  static const double rows[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
  long batch = check_random(1, 2), height = check_random(1, 9), width = check_random(1, 9);
  tile_band band = random_band(batch, height, width);
  prunec_winograd_output a = {
    .channels = check_random(1, 35), .out_height = height, .out_width = width,
    .tile_rows = band.rows, .tile_columns = band.columns, .first_line = band.first, .lines = band.lines,
    .adds_last = check_random(0, 1), .activation = check_random_activation(),
  };
  long pitch = a.lines * a.tile_columns * a.channels;
  layout to = random_layout(batch, height, width, a.channels);
  float *sums = check_random_buffer(16 * pitch), *bias = check_random_buffer(a.channels);
  float *addend = check_random_buffer(to.count);
  a.sums = sums;
  if (check_random(0, 2)) a.bias = bias;
  if (check_random(0, 1)) {
    a.addend = addend;
    a.addend_batch = to.batch, a.addend_row = to.row, a.addend_pixel = to.pixel;
  }
  a.y = check_blank_buffer(to.count), a.y_batch = to.batch, a.y_row = to.row, a.y_pixel = to.pixel;
  CHECK_RUN(k, winograd_output, &a);

  for (long place = 0; place < to.count; place++) {
    long index[4];
    bool exists = locate(to, place, width, a.channels, index);
    long line = index[0] * a.tile_rows + index[1] / 2 - a.first_line;
    if (!exists || line < 0 || line >= a.lines) {
      if (!check_is_blank(a.y[place])) check_fail("a transform writes outside of its lines");
      continue;
    }
    double sum = a.bias ? bias[index[3]] : 0;
    for (long i = 0; i < 16; i++)
      sum += rows[index[1] % 2][i / 4] * rows[index[2] % 2][i % 4] *
             sums[i * pitch + (line * a.tile_columns + index[2] / 2) * a.channels + index[3]];
    double other = a.addend ? addend[place] : 0;
    sum = a.adds_last ? check_activate(a.activation, sum) + other : check_activate(a.activation, sum + other);
    if (!check_is_near(a.y[place], sum, 2e-5))
      check_fail("y[%ld, %ld, %ld] is %g instead of %g", index[1], index[2], index[3], a.y[place], sum);
  }
  check_free(sums), check_free(bias), check_free(addend), check_free(a.y);
}

const char *prunec_check_winograd(const prunec_kernels *kernels) {
  check_begin();
  for (int i = 0; i < 300 && !check_result(); i++) {
    check_one_winograd_input(kernels);
    check_one_winograd_output(kernels);
  }
  return check_result();
}

static void check_one_pooling(const prunec_kernels *k) {
  axis high = random_axis(), wide = random_axis();
  prunec_pooling a = {
    .kind = (prunec_pooling_kind)check_random(0, 2),
    .batch = check_random(1, 2),
    .channels = check_random(1, check_random(0, 3) ? 35 : 300),
    .in_height = high.in, .in_width = wide.in, .out_height = high.out, .out_width = wide.out,
    .kernel_height = high.kernel, .kernel_width = wide.kernel,
    .stride_height = high.stride, .stride_width = wide.stride,
    .dilation_height = high.dilation, .dilation_width = wide.dilation,
    .pad_top = high.before, .pad_left = wide.before, .pad_bottom = high.after, .pad_right = wide.after,
  };
  layout from = random_layout(a.batch, a.in_height, a.in_width, a.channels);
  layout to = random_layout(a.batch, a.out_height, a.out_width, a.channels);
  float *x = check_random_buffer(from.count);
  a.x = x, a.x_batch = from.batch, a.x_row = from.row, a.x_pixel = from.pixel;
  a.y = check_blank_buffer(to.count), a.y_batch = to.batch, a.y_row = to.row, a.y_pixel = to.pixel;
  CHECK_RUN(k, pooling, &a);

  long index[4];
  for (long place = 0; place < to.count; place++) {
    if (!locate(to, place, a.out_width, a.channels, index)) {
      if (!check_is_blank(a.y[place])) check_fail("pooling writes outside of its channels");
      continue;
    }
    double sum = 0, largest = -INFINITY;
    long inside = 0, padded = 0;
    for (long u = 0; u < a.kernel_height; u++) {
      for (long v = 0; v < a.kernel_width; v++) {
        long i = index[1] * high.stride - high.before + u * high.dilation;
        long j = index[2] * wide.stride - wide.before + v * wide.dilation;
        padded += i < high.in + high.after && j < wide.in + wide.after;
        if (i < 0 || i >= high.in || j < 0 || j >= wide.in) continue;
        double value = x[index[0] * from.batch + i * from.row + j * from.pixel + index[3]];
        inside++;
        sum += value;
        largest = fmax(largest, value);
      }
    }
    long count = a.kind == prunec_pool_average ? inside : padded;
    double y = a.kind == prunec_pool_maximum ? largest : count > 0 ? sum / (double)count : 0;
    if (!check_is_near(a.y[place], y, 1e-5))
      check_fail(
          "pooling %d, %ldx%ld to %ldx%ldx%ld: y[%ld, %ld, %ld] is %g instead of %g", (int)a.kind,
          a.in_height, a.in_width, a.out_height, a.out_width, a.channels, index[1], index[2], index[3], a.y[place], y);
  }
  check_free(x), check_free(a.y);
}

const char *prunec_check_pooling(const prunec_kernels *kernels) {
  check_begin();
  for (int i = 0; i < 600 && !check_result(); i++) check_one_pooling(kernels);
  return check_result();
}
