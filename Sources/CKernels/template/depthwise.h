/// Convolutions of one channel each.

enum {
  /// How many output pixels a strip has, at most.
  strip_pixels = 8,
  /// How many channels go at once where sums wait for an epilogue.
  strip_channels = 128,
};

/// Some output pixels next to each other.
typedef struct {
  const float *x;
  /// Where the first pixel's window begins in x; that may lie outside.
  long origin;
  long x_row, x_pixel;  ///< from one tap to the next
  /// The rows of taps that lie inside.
  long first_row, last_row;
  /// The columns of x, from the first window's first on, that lie inside.
  long first_column, last_column;
  const float *weights;  ///< `[kernel_height, kernel_width, weights_pitch]`
  long weights_pitch, kernel_width;
  const float *bias;
  const float *addend;
  long addend_pixel;
  float *y;
  long y_pixel;
  float low, high;
} strip;

static inline __attribute__((always_inline)) vector strip_load(const float *x, long lanes) {
  return lanes == width ? vector_load(x) : vector_load_partial(x, lanes);
}

static inline __attribute__((always_inline)) void strip_store(
    const strip *s, long pixel, long channel, long lanes, vector sum) {
  if (s->addend) sum += strip_load(s->addend + pixel * s->addend_pixel + channel, lanes);
  sum = vector_clamp(sum, vector_broadcast(s->low), vector_broadcast(s->high));
  float *y = s->y + pixel * s->y_pixel + channel;
  if (lanes == width) {
    vector_store(y, sum);
  } else {
    vector_store_partial(y, sum, lanes);
  }
}

/// A vector of channels of `pixels` pixels. Each element of x is loaded once a row of taps.
static inline __attribute__((always_inline)) void strip_vector(
    const strip *s, long channel, long lanes, const long columns, const long stride, const long pixels,
    const bool is_inside) {
  vector sum[strip_pixels], weight[7];
  vector bias = s->bias ? strip_load(s->bias + channel, lanes) : (vector){};
  PRUNEC_UNROLL for (long p = 0; p < pixels; p++) sum[p] = bias;
  for (long row = s->first_row; row < s->last_row; row++) {
    const float *w = s->weights + row * columns * s->weights_pitch + channel;
    PRUNEC_UNROLL for (long i = 0; i < columns; i++) weight[i] = strip_load(w + i * s->weights_pitch, lanes);
    long place = s->origin + row * s->x_row + channel;
    PRUNEC_UNROLL for (long j = 0; j < (pixels - 1) * stride + columns; j++, place += s->x_pixel) {
      if (is_inside || (j >= s->first_column && j < s->last_column)) {
        vector x = strip_load(s->x + place, lanes);
        PRUNEC_UNROLL for (long p = 0; p < pixels; p++) {
          if (j >= p * stride && j < p * stride + columns)
            sum[p] = vector_multiply_add(weight[j - p * stride], x, sum[p]);
        }
      }
    }
  }
  PRUNEC_UNROLL for (long p = 0; p < pixels; p++) strip_store(s, p, channel, lanes, sum[p]);
}

typedef void strip_function(const strip *, long channels);

/// Wider kernels have enough to do a column that it does not matter whether they ask where it lies.

#define STRIP(COLUMNS, STRIDE, PIXELS) \
  static void strip_##COLUMNS##_##STRIDE##_##PIXELS(const strip *s, long channels) { \
    long channel = 0; \
    bool is_inside = s->first_column == 0 && s->last_column == (PIXELS - 1) * STRIDE + COLUMNS; \
    if (is_inside && COLUMNS == 3) { \
      for (; channel + width <= channels; channel += width) \
        strip_vector(s, channel, width, COLUMNS, STRIDE, PIXELS, true); \
    } \
    for (; channel + width <= channels; channel += width) \
      strip_vector(s, channel, width, COLUMNS, STRIDE, PIXELS, false); \
    if (channel < channels) strip_vector(s, channel, channels - channel, COLUMNS, STRIDE, PIXELS, false); \
  }
#define STRIPS(COLUMNS, STRIDE) \
  STRIP(COLUMNS, STRIDE, 1) STRIP(COLUMNS, STRIDE, 2) STRIP(COLUMNS, STRIDE, 3) STRIP(COLUMNS, STRIDE, 4) \
  STRIP(COLUMNS, STRIDE, 5) STRIP(COLUMNS, STRIDE, 6) STRIP(COLUMNS, STRIDE, 7) STRIP(COLUMNS, STRIDE, 8) \
  static strip_function *const strips_##COLUMNS##_##STRIDE[strip_pixels] = { \
    strip_##COLUMNS##_##STRIDE##_1, strip_##COLUMNS##_##STRIDE##_2, strip_##COLUMNS##_##STRIDE##_3, \
    strip_##COLUMNS##_##STRIDE##_4, strip_##COLUMNS##_##STRIDE##_5, strip_##COLUMNS##_##STRIDE##_6, \
    strip_##COLUMNS##_##STRIDE##_7, strip_##COLUMNS##_##STRIDE##_8, \
  };
STRIPS(3, 1)
STRIPS(3, 2)
STRIPS(5, 1)
STRIPS(5, 2)
STRIPS(7, 1)
STRIPS(7, 2)

/// One pixel with any kernel; columns count taps.
static void strip_any(const strip *s, long channels) {
  enum { group = 4 };
  for (long channel = 0; channel < channels; channel += group * width) {
    vector sum[group];
    long lanes[group];
    for (long g = 0; g < group; g++) {
      long rest = channels - channel - g * width;
      lanes[g] = rest < 0 ? 0 : rest < width ? rest : width;
      sum[g] = s->bias && rest > 0 ? strip_load(s->bias + channel + g * width, lanes[g]) : (vector){};
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
                strip_load(x + g * width, lanes[g]), strip_load(w + g * width, lanes[g]), sum[g]);
        }
      }
    }
    for (long g = 0; g < group && lanes[g] > 0; g++) strip_store(s, 0, channel + g * width, lanes[g], sum[g]);
  }
}

static strip_function *const *strips_for(const prunec_depthwise *a) {
  if (a->dilation_width != 1) {
    return NULL;
  } else if (a->stride_width == 1) {
    return a->kernel_width == 3 ? strips_3_1 : a->kernel_width == 5 ? strips_5_1
         : a->kernel_width == 7 ? strips_7_1 : NULL;
  } else if (a->stride_width == 2) {
    return a->kernel_width == 3 ? strips_3_2 : a->kernel_width == 5 ? strips_5_2
         : a->kernel_width == 7 ? strips_7_2 : NULL;
  }
  return NULL;
}

/// The range of taps that lie inside, where the first one lies at `start`.
static inline void taps_inside(long start, long dilation, long taps, long size, long *first, long *last) {
  *first = start < 0 ? divide_up(-start, dilation) : 0;
  *last = start >= size ? 0 : divide_up(size - start, dilation);
  if (*first > taps) *first = taps;
  if (*last > taps) *last = taps;
  if (*last < *first) *last = *first;
}

/// Computes a strip's sums aside, and applies the epilogue to them.
static void strip_with_epilogue(
    const strip *s, strip_function *function, long pixels, long channels, const epilogue *epilogue) {
  float sums[strip_pixels * strip_channels], *y[strip_pixels];
  const float *addends[strip_pixels];
  for (long first = 0; first < channels; first += strip_channels) {
    long count = channels - first < strip_channels ? channels - first : strip_channels;
    strip aside = *s;
    aside.origin += first;
    aside.weights += first;
    if (aside.bias) aside.bias += first;
    aside.addend = NULL;
    aside.y = sums;
    aside.y_pixel = strip_channels;
    aside.low = -INFINITY;
    aside.high = INFINITY;
    function(&aside, count);
    for (long p = 0; p < pixels; p++) {
      y[p] = s->y + p * s->y_pixel + first;
      addends[p] = s->addend ? s->addend + p * s->addend_pixel + first : NULL;
    }
    epilogue_apply(epilogue, pixels, count, sums, strip_channels, s->addend ? addends : NULL, y);
  }
}

/// How many channels a unit takes: the rows of x that a row of y reads should stay in the first-level cache,
/// since the next unit, one row further down, reads most of them again.
static long depthwise_channels(const prunec_depthwise *a) {
  enum { cache = 24 * 1024 };
  long most = cache / (a->kernel_height * a->in_width * (long)sizeof(float)) / width * width;
  // Small kernels gain less from that than from reading memory in its order.
  if (most < 64 && a->kernel_height < 5) most = a->channels;
  if (most < 2 * width) most = 2 * width;
  long parts = divide_up(a->channels, most);
  return divide_up(divide_up(a->channels, parts), width) * width;
}

static long depthwise_units(const prunec_depthwise *a) {
  return a->batch * divide_up(a->channels, depthwise_channels(a)) * a->out_height;
}

static void depthwise_row(const prunec_depthwise *a, long batch, long i, long channel, long channels) {
  epilogue epilogue = epilogue_of(a->activation, a->addend, a->adds_last);
  strip_function *const *functions = strips_for(a);
  long most = functions ? strip_pixels : 1, strips = divide_up(a->out_width, most);
  long row = i * a->stride_height - a->pad_top;
  strip s = {
    .x = a->x + batch * a->x_batch + channel,
    .x_row = a->dilation_height * a->x_row,
    .x_pixel = a->dilation_width * a->x_pixel,
    .weights = a->weights + channel,
    .weights_pitch = a->channels,
    .kernel_width = a->kernel_width,
    .bias = a->bias ? a->bias + channel : NULL,
    .addend_pixel = a->addend_pixel,
    .y_pixel = a->y_pixel,
    .low = epilogue.low,
    .high = epilogue.high,
  };
  taps_inside(row, a->dilation_height, a->kernel_height, a->in_height, &s.first_row, &s.last_row);
  for (long n = 0; n < strips; n++) {
    long j = a->out_width * n / strips, pixels = a->out_width * (n + 1) / strips - j;
    long column = j * a->stride_width - a->pad_left;
    long columns = (pixels - 1) * a->stride_width + a->kernel_width;
    taps_inside(column, a->dilation_width, columns, a->in_width, &s.first_column, &s.last_column);
    s.origin = row * a->x_row + column * a->x_pixel;
    s.addend = a->addend
        ? a->addend + batch * a->addend_batch + i * a->addend_row + j * a->addend_pixel + channel : NULL;
    s.y = a->y + batch * a->y_batch + i * a->y_row + j * a->y_pixel + channel;
    strip_function *function = functions ? functions[pixels - 1] : strip_any;
    if (epilogue.is_simple) {
      function(&s, channels);
    } else {
      strip_with_epilogue(&s, function, pixels, channels, &epilogue);
    }
  }
}

static void depthwise(const prunec_depthwise *a, long begin, long end) {
  const long most = depthwise_channels(a), parts = divide_up(a->channels, most);
  for (long unit = begin; unit < end; unit++) {
    long i = unit % a->out_height, part = unit / a->out_height % parts, batch = unit / a->out_height / parts;
    long rest = a->channels - part * most;
    depthwise_row(a, batch, i, part * most, rest < most ? rest : most);
  }
}
