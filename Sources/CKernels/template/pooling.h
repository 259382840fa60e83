/// Maxima and averages of windows, channel by channel.

/// How many channels a unit takes, at most.
enum { pooling_channels = 256 };

/// The window of one output pixel: the taps that lie inside.
typedef struct {
  const float *x;
  long origin;  ///< where the first tap lies in x; that may be outside
  long first_row, last_row, first_column, last_column;
  long x_row, x_pixel;
  float factor;
} pooling_window;

/// `vectors` vectors of the window, the last one of `lanes` channels.
static inline __attribute__((always_inline)) void pool_vectors(
    const pooling_window *window, const bool is_maximum, const long vectors, const bool is_whole, long lanes,
    float *y) {
  vector result[4];
  PRUNEC_UNROLL for (long n = 0; n < vectors; n++) result[n] = vector_broadcast(is_maximum ? -INFINITY : 0);
  for (long u = window->first_row; u < window->last_row; u++) {
    for (long v = window->first_column; v < window->last_column; v++) {
      const float *x = window->x + window->origin + u * window->x_row + v * window->x_pixel;
      PRUNEC_UNROLL for (long n = 0; n < vectors; n++) {
        bool loads_all = is_whole || n < vectors - 1;
        vector value = loads_all ? vector_load(x + n * width) : vector_load_partial(x + n * width, lanes);
        result[n] = is_maximum ? vector_maximum(value, result[n]) : result[n] + value;
      }
    }
  }
  PRUNEC_UNROLL for (long n = 0; n < vectors; n++) {
    if (!is_maximum) result[n] *= vector_broadcast(window->factor);
    if (is_whole || n < vectors - 1) {
      vector_store(y + n * width, result[n]);
    } else {
      vector_store_partial(y + n * width, result[n], lanes);
    }
  }
}

static inline __attribute__((always_inline)) void pool_pixel_by(
    pooling_window window, const bool is_maximum, long channels, float *y) {
  for (; channels >= 4 * width; channels -= 4 * width, window.origin += 4 * width, y += 4 * width)
    pool_vectors(&window, is_maximum, 4, true, width, y);
  long lanes = channels % width;
  switch (divide_up(channels, width)) {
  case 4: pool_vectors(&window, is_maximum, 4, false, lanes, y); break;
  case 3: pool_vectors(&window, is_maximum, 3, false, lanes ? lanes : width, y); break;
  case 2: pool_vectors(&window, is_maximum, 2, false, lanes ? lanes : width, y); break;
  case 1: pool_vectors(&window, is_maximum, 1, false, lanes ? lanes : width, y); break;
  }
}

static void pool_pixel(const pooling_window *window, bool is_maximum, long channels, float *y) {
  if (is_maximum) {
    pool_pixel_by(*window, true, channels, y);
  } else {
    pool_pixel_by(*window, false, channels, y);
  }
}

static long pooling_parts(const prunec_pooling *a) {
  return divide_up(a->channels, pooling_channels);
}

static long pooling_units(const prunec_pooling *a) {
  return a->batch * a->out_height * pooling_parts(a);
}

/// How many of a window's taps lie in front of `end`.
static inline long taps_before(long start, long dilation, long taps, long end) {
  long first, last;
  taps_inside(start, dilation, taps, end, &first, &last);
  return last;
}

/// A row of y, from one channel to another.
static void pool_row(const prunec_pooling *a, long batch, long i, long channel, long channels) {
  pooling_window window = {.x_row = a->dilation_height * a->x_row, .x_pixel = a->dilation_width * a->x_pixel};
  long row = i * a->stride_height - a->pad_top;
  taps_inside(row, a->dilation_height, a->kernel_height, a->in_height, &window.first_row, &window.last_row);
  long rows = window.last_row - window.first_row;
  if (a->kind == prunec_pool_average_with_pads)
    rows = taps_before(row, a->dilation_height, a->kernel_height, a->in_height + a->pad_bottom);
  for (long j = 0; j < a->out_width; j++) {
    long column = j * a->stride_width - a->pad_left;
    taps_inside(
        column, a->dilation_width, a->kernel_width, a->in_width, &window.first_column, &window.last_column);
    long columns = window.last_column - window.first_column;
    if (a->kind == prunec_pool_average_with_pads)
      columns = taps_before(column, a->dilation_width, a->kernel_width, a->in_width + a->pad_right);
    // A window of pads alone has the average zero.
    window.factor = rows * columns > 0 ? 1 / (float)(rows * columns) : 0;
    window.x = a->x + batch * a->x_batch + channel;
    window.origin = row * a->x_row + column * a->x_pixel;
    float *y = a->y + batch * a->y_batch + i * a->y_row + j * a->y_pixel + channel;
    pool_pixel(&window, a->kind == prunec_pool_maximum, channels, y);
  }
}

static void pooling(const prunec_pooling *a, long begin, long end) {
  const long parts = pooling_parts(a);
  for (long unit = begin; unit < end; unit++) {
    long channel = unit % parts * pooling_channels, line = unit / parts;
    long channels = a->channels - channel < pooling_channels ? a->channels - channel : pooling_channels;
    pool_row(a, line / a->out_height, line % a->out_height, channel, channels);
  }
}
