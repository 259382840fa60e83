/// Convolutions of one channel each.

enum {
  /// How many output pixels a patch has, at most, next to each other and below. (Images are often 7, 14, 28,
  /// 56 or 112 pixels wide.)
  patch_pixels = 7,
  patch_rows = 2,
  /// How many channels go at once where sums wait for an epilogue.
  patch_channels = 64,
};

/// What a patch has at most, so that its sums and what they are made of stay in registers. What two rows of y
/// read of x is loaded once for both; with strides, 3 rows of taps have too little in common for that.
static inline long patch_pixels_for(long columns) {
  return vector_registers == 32 || columns > 3 ? patch_pixels : 4;
}

static inline long patch_rows_for(long columns, long stride) {
  bool shares_rows = columns == 3 ? stride == 1 : vector_registers == 32;
  return shares_rows ? patch_rows : 1;
}

/// Some output pixels next to each other, in one row or two.
typedef struct {
  const float *x;
  /// Where the first pixel's window begins in x; that may lie outside.
  long origin;
  long x_row, x_pixel;  ///< from one tap to the next
  /// From the taps of one row of y to those of the next.
  long stride_height;
  /// The rows and columns of taps, from the first window's first on, that lie inside.
  long first_row, last_row, first_column, last_column;
  const float *weights;  ///< `[kernel_height, kernel_width, weights_pitch]`
  long weights_pitch, kernel_height, kernel_width;
  const float *bias;
  const float *addend;
  long addend_row, addend_pixel;
  float *y;
  long y_row, y_pixel;
  float low, high;
} patch;

/// Whole vectors where the compiler knows that they are.
static inline __attribute__((always_inline)) vector patch_load(
    const float *x, const bool is_whole, long lanes) {
  return is_whole ? vector_load(x) : vector_load_partial(x, lanes);
}

static inline __attribute__((always_inline)) void patch_store(
    float *y, const bool is_whole, long lanes, vector x) {
  if (is_whole) {
    vector_store(y, x);
  } else {
    vector_store_partial(y, x, lanes);
  }
}

/// Adds what a row of x has for the rows of y from `begin` to `end`. Each element of x is loaded once.
static inline __attribute__((always_inline)) void patch_add(
    const patch *s, long row, long channel, const bool is_whole, long lanes, const long columns,
    const long stride, const long pixels, const bool is_inside, const long begin, const long end,
    vector sums[patch_rows][patch_pixels]) {
  const long pitch = s->weights_pitch;
  const float *x = s->x + s->origin + row * s->x_row + channel;
  vector weights[patch_rows][7];
  PRUNEC_UNROLL for (long r = begin; r < end; r++) {
    const float *w = s->weights + (row - r * s->stride_height) * columns * pitch + channel;
    PRUNEC_UNROLL for (long i = 0; i < columns; i++, w += pitch)
      weights[r][i] = patch_load(w, is_whole, lanes);
  }
  if (columns > 3) {
    PRUNEC_UNROLL for (long j = 0; j < (pixels - 1) * stride + columns; j++, x += s->x_pixel) {
      if (is_inside || (j >= s->first_column && j < s->last_column)) {
        vector x_j = patch_load(x, is_whole, lanes);
        PRUNEC_UNROLL for (long p = 0; p < pixels; p++) {
          if (j >= p * stride && j < p * stride + columns) {
            PRUNEC_UNROLL for (long r = begin; r < end; r++)
              sums[r][p] = vector_multiply_add(weights[r][j - p * stride], x_j, sums[r][p]);
          }
        }
      }
    }
  } else {
    // One column has too few additions that do not wait for those of another one: tap by tap, there are as
    // many as pixels.
    vector x_j[(patch_pixels - 1) * 2 + 3];
    const long last = (pixels - 1) * stride;
    PRUNEC_UNROLL for (long j = 0; j < last + columns; j++, x += s->x_pixel) {
      // Only the first pixel's first taps and the last pixel's last ones may lie outside.
      bool exists =
          is_inside || ((j >= columns - 1 || j >= s->first_column) && (j <= last || j < s->last_column));
      x_j[j] = exists ? patch_load(x, is_whole, lanes) : (vector){};
    }
    PRUNEC_UNROLL for (long i = 0; i < columns; i++) {
      PRUNEC_UNROLL for (long r = begin; r < end; r++) {
        PRUNEC_UNROLL for (long p = 0; p < pixels; p++)
          sums[r][p] = vector_multiply_add(weights[r][i], x_j[p * stride + i], sums[r][p]);
      }
    }
  }
}

/// A vector of channels of `rows` times `pixels` pixels.
static inline __attribute__((always_inline)) void patch_vector(
    const patch *s, long channel, const bool is_whole, long lanes, const long columns, const long stride,
    const long rows, const long pixels, const bool is_inside) {
  vector sums[patch_rows][patch_pixels];
  vector bias = s->bias ? patch_load(s->bias + channel, is_whole, lanes) : (vector){};
  PRUNEC_UNROLL for (long r = 0; r < rows; r++) {
    PRUNEC_UNROLL for (long p = 0; p < pixels; p++) sums[r][p] = bias;
  }
  // First the rows of x that only the upper row of y reads, then those that both do, then the lower's.
  long row = s->first_row;
  if (rows == 2) {
    for (; row < s->last_row && row < s->stride_height; row++)
      patch_add(s, row, channel, is_whole, lanes, columns, stride, pixels, is_inside, 0, 1, sums);
  }
  for (; row < s->last_row && row < s->kernel_height; row++)
    patch_add(s, row, channel, is_whole, lanes, columns, stride, pixels, is_inside, 0, rows, sums);
  if (rows == 2) {
    for (; row < s->last_row; row++)
      patch_add(s, row, channel, is_whole, lanes, columns, stride, pixels, is_inside, 1, 2, sums);
  }
  if (s->addend) {
    PRUNEC_UNROLL for (long r = 0; r < rows; r++) {
      const float *addend = s->addend + r * s->addend_row + channel;
      PRUNEC_UNROLL for (long p = 0; p < pixels; p++, addend += s->addend_pixel)
        sums[r][p] += patch_load(addend, is_whole, lanes);
    }
  }
  const vector low = vector_broadcast(s->low), high = vector_broadcast(s->high);
  PRUNEC_UNROLL for (long r = 0; r < rows; r++) {
    float *y = s->y + r * s->y_row + channel;
    PRUNEC_UNROLL for (long p = 0; p < pixels; p++, y += s->y_pixel)
      patch_store(y, is_whole, lanes, vector_clamp(sums[r][p], low, high));
  }
}

typedef void patch_function(const patch *, long channels);

#define PATCH(COLUMNS, STRIDE, ROWS, PIXELS) \
  static void patch_##COLUMNS##_##STRIDE##_##ROWS##_##PIXELS(const patch *shared, long channels) { \
    if (ROWS > patch_rows_for(COLUMNS, STRIDE) || PIXELS > patch_pixels_for(COLUMNS)) return; \
    const patch s = *shared; \
    long channel = 0; \
    bool is_inside = s.first_column == 0 && s.last_column == (PIXELS - 1) * STRIDE + COLUMNS; \
    if (is_inside && PIXELS > 3) { \
      for (; channel + width <= channels; channel += width) \
        patch_vector(&s, channel, true, width, COLUMNS, STRIDE, ROWS, PIXELS, true); \
    } \
    for (; channel + width <= channels; channel += width) \
      patch_vector(&s, channel, true, width, COLUMNS, STRIDE, ROWS, PIXELS, false); \
    if (channel < channels) \
      patch_vector(&s, channel, false, channels - channel, COLUMNS, STRIDE, ROWS, PIXELS, false); \
  }
#define PATCHES(COLUMNS, STRIDE, ROWS) \
  PATCH(COLUMNS, STRIDE, ROWS, 1) PATCH(COLUMNS, STRIDE, ROWS, 2) PATCH(COLUMNS, STRIDE, ROWS, 3) \
  PATCH(COLUMNS, STRIDE, ROWS, 4) PATCH(COLUMNS, STRIDE, ROWS, 5) PATCH(COLUMNS, STRIDE, ROWS, 6) \
  PATCH(COLUMNS, STRIDE, ROWS, 7)
#define PATCH_NAMES(COLUMNS, STRIDE, ROWS) { \
    patch_##COLUMNS##_##STRIDE##_##ROWS##_1, patch_##COLUMNS##_##STRIDE##_##ROWS##_2, \
    patch_##COLUMNS##_##STRIDE##_##ROWS##_3, patch_##COLUMNS##_##STRIDE##_##ROWS##_4, \
    patch_##COLUMNS##_##STRIDE##_##ROWS##_5, patch_##COLUMNS##_##STRIDE##_##ROWS##_6, \
    patch_##COLUMNS##_##STRIDE##_##ROWS##_7, \
  }
#define PATCH_FAMILY(COLUMNS, STRIDE) \
  PATCHES(COLUMNS, STRIDE, 1) PATCHES(COLUMNS, STRIDE, 2) \
  static const patch_family patches_##COLUMNS##_##STRIDE = { \
    PATCH_NAMES(COLUMNS, STRIDE, 1), PATCH_NAMES(COLUMNS, STRIDE, 2), \
  };
/// By the number of rows and of pixels, less one.
typedef patch_function *const patch_family[patch_rows][patch_pixels];
PATCH_FAMILY(3, 1)
PATCH_FAMILY(3, 2)
PATCH_FAMILY(5, 1)
PATCH_FAMILY(5, 2)
PATCH_FAMILY(7, 1)
PATCH_FAMILY(7, 2)

/// One pixel with any kernel; columns count taps.
static void patch_any(const patch *s, long channels) {
  enum { group = 4 };
  for (long channel = 0; channel < channels;) {
    vector sum[group];
    long lanes[group];
    for (long g = 0; g < group; g++) {
      long rest = channels - channel - g * width;
      lanes[g] = rest < 0 ? 0 : rest < width ? rest : width;
      bool adds = s->bias && rest > 0;
      sum[g] = adds ? vector_load_partial(s->bias + channel + g * width, lanes[g]) : (vector){};
    }
    for (long u = s->first_row; u < s->last_row; u++) {
      for (long v = s->first_column; v < s->last_column; v++) {
        const float *x = s->x + s->origin + u * s->x_row + v * s->x_pixel + channel;
        const float *w = s->weights + (u * s->kernel_width + v) * s->weights_pitch + channel;
        if (lanes[group - 1] == width) {
          for (long g = 0; g < group; g++)
            sum[g] = vector_multiply_add(vector_load(x + g * width), vector_load(w + g * width), sum[g]);
        } else {
          for (long g = 0; g < group && lanes[g] > 0; g++)
            sum[g] = vector_multiply_add(
                vector_load_partial(x + g * width, lanes[g]), vector_load_partial(w + g * width, lanes[g]),
                sum[g]);
        }
      }
    }
    const vector low = vector_broadcast(s->low), high = vector_broadcast(s->high);
    for (long g = 0; g < group && lanes[g] > 0; g++, channel += width) {
      if (s->addend) sum[g] += vector_load_partial(s->addend + channel, lanes[g]);
      vector_store_partial(s->y + channel, vector_clamp(sum[g], low, high), lanes[g]);
    }
  }
}

static const patch_family *patches_for(const prunec_depthwise *a) {
  // The first and the last window of a row must reach into x.
  long last = (a->out_width - 1) * a->stride_width - a->pad_left;
  bool reaches = a->pad_left < a->kernel_width && last < a->in_width;
  if (a->dilation_width != 1 || !reaches) {
    return NULL;
  } else if (a->stride_width == 1) {
    return a->kernel_width == 3 ? &patches_3_1 : a->kernel_width == 5 ? &patches_5_1
         : a->kernel_width == 7 ? &patches_7_1 : NULL;
  } else if (a->stride_width == 2) {
    return a->kernel_width == 3 ? &patches_3_2 : a->kernel_width == 5 ? &patches_5_2
         : a->kernel_width == 7 ? &patches_7_2 : NULL;
  }
  return NULL;
}

/// The range of taps that lie inside, where the first one lies at `start`.
static inline void taps_inside(long start, long dilation, long taps, long size, long *first, long *last) {
  if (start >= 0 && start + (taps - 1) * dilation < size) {
    *first = 0, *last = taps;
    return;
  }
  *first = start < 0 ? divide_up(-start, dilation) : 0;
  *last = start >= size ? 0 : divide_up(size - start, dilation);
  if (*first > taps) *first = taps;
  if (*last > taps) *last = taps;
  if (*last < *first) *last = *first;
}

/// Computes a patch's sums aside, and applies the epilogue to them.
static void patch_aside(
    const patch *s, patch_function *function, long rows, long pixels, long channels,
    const epilogue *epilogue) {
  float sums[patch_rows * patch_pixels * patch_channels], *y[patch_pixels];
  const float *addends[patch_pixels];
  for (long first = 0; first < channels; first += patch_channels) {
    long count = channels - first < patch_channels ? channels - first : patch_channels;
    patch aside = *s;
    aside.origin += first;
    aside.weights += first;
    if (aside.bias) aside.bias += first;
    aside.addend = NULL;
    aside.y = sums;
    aside.y_row = patch_pixels * patch_channels;
    aside.y_pixel = patch_channels;
    function(&aside, count);
    for (long r = 0; r < rows; r++) {
      for (long p = 0; p < pixels; p++) {
        y[p] = s->y + r * s->y_row + p * s->y_pixel + first;
        addends[p] = s->addend + r * s->addend_row + p * s->addend_pixel + first;
      }
      epilogue_apply(epilogue, pixels, count, sums + r * aside.y_row, patch_channels, addends, y);
    }
  }
}

/// Applies a function to a patch of y, which has just been written.
static void patch_activate(
    const patch *s, long rows, long pixels, long channels, const prunec_activation *activation) {
  for (long r = 0; r < rows; r++) {
    float *y = s->y + r * s->y_row;
    if (s->y_pixel == channels) {
      activate_rows(activation, 1, pixels * channels, y, 0, y, 0);
    } else {
      activate_rows(activation, pixels, channels, y, s->y_pixel, y, s->y_pixel);
    }
  }
}

/// How many channels a unit takes: the rows of x that a row of y reads should stay in the first-level cache,
/// since the next unit, one row further down, reads most of them again.
static long depthwise_channels(const prunec_depthwise *a) {
  enum { cache = 24 * 1024 };
  long most = cache / (a->kernel_height * a->in_width * (long)sizeof(float)) / width * width;
  // Small kernels gain less from that than from reading memory in its order.
  if (most < 64 && a->kernel_height < 5) most = a->channels;
  if (most < 48) most = 48;
  long parts = divide_up(a->channels, most);
  return divide_up(divide_up(a->channels, parts), width) * width;
}

/// How many rows of y a unit takes.
static long depthwise_rows(const prunec_depthwise *a) {
  bool shares_rows = a->dilation_height == 1 && a->stride_height <= a->kernel_height;
  return shares_rows && patches_for(a) ? patch_rows_for(a->kernel_width, a->stride_width) : 1;
}

static long depthwise_units(const prunec_depthwise *a) {
  long parts = divide_up(a->channels, depthwise_channels(a));
  return a->batch * parts * divide_up(a->out_height, depthwise_rows(a));
}

/// Some rows of y.
static void depthwise_unit(
    const prunec_depthwise *a, long batch, long i, long rows, long channel, long channels) {
  epilogue epilogue = epilogue_of(a->activation, a->addend, a->adds_last);
  const patch_family *family = patches_for(a);
  long most = family ? patch_pixels_for(a->kernel_width) : 1, patches = divide_up(a->out_width, most);
  long row = i * a->stride_height - a->pad_top;
  patch s = {
    .x = a->x + batch * a->x_batch + channel,
    .x_row = a->dilation_height * a->x_row,
    .x_pixel = a->dilation_width * a->x_pixel,
    .stride_height = a->stride_height,
    .weights = a->weights + channel,
    .weights_pitch = a->channels,
    .kernel_height = a->kernel_height,
    .kernel_width = a->kernel_width,
    .bias = a->bias ? a->bias + channel : NULL,
    .addend_row = a->addend_row,
    .addend_pixel = a->addend_pixel,
    .y_row = a->y_row,
    .y_pixel = a->y_pixel,
    .low = epilogue.low,
    .high = epilogue.high,
  };
  long reach = (rows - 1) * a->stride_height + a->kernel_height;
  taps_inside(row, a->dilation_height, reach, a->in_height, &s.first_row, &s.last_row);
  for (long n = 0; n < patches; n++) {
    long j = a->out_width * n / patches, pixels = a->out_width * (n + 1) / patches - j;
    long column = j * a->stride_width - a->pad_left;
    long columns = (pixels - 1) * a->stride_width + a->kernel_width;
    taps_inside(column, a->dilation_width, columns, a->in_width, &s.first_column, &s.last_column);
    s.origin = row * a->x_row + column * a->x_pixel;
    s.addend = a->addend
        ? a->addend + batch * a->addend_batch + i * a->addend_row + j * a->addend_pixel + channel : NULL;
    s.y = a->y + batch * a->y_batch + i * a->y_row + j * a->y_pixel + channel;
    patch_function *function = family ? (*family)[rows - 1][pixels - 1] : patch_any;
    if (epilogue.is_simple) {
      function(&s, channels);
    } else if (s.addend && a->adds_last) {
      patch_aside(&s, function, rows, pixels, channels, &epilogue);
    } else {
      function(&s, channels);
      patch_activate(&s, rows, pixels, channels, &a->activation);
    }
  }
}

/// Units go through the bands, in each through parts of the channels, and of each part through the rows.
static void depthwise(const prunec_depthwise *a, long begin, long end) {
  const long most = depthwise_channels(a), parts = divide_up(a->channels, most);
  const long most_rows = depthwise_rows(a), lines = divide_up(a->out_height, most_rows);
  for (long unit = begin; unit < end; unit++) {
    long batch = unit / (lines * parts), place = unit % (lines * parts);
    long band = 0, first = 0, last = lines / a->bands;
    while (place >= last * parts) {
      band++;
      first = last;
      last = lines * (band + 1) / a->bands;
    }
    place -= first * parts;
    long part = place / (last - first), i = (first + place % (last - first)) * most_rows;
    long rows = a->out_height - i < most_rows ? a->out_height - i : most_rows;
    long rest = a->channels - part * most;
    depthwise_unit(a, batch, i, rows, part * most, rest < most ? rest : most);
  }
}
