/// Normalization of rows, and of groups of channels.

static axes row_normalization_axes(const prunec_row_normalization *p) {
  axes result = axes_make(p->rank, p->shape, 2);
  axes_set(&result, 0, p->x_strides);
  axes_set(&result, 1, p->y_strides);
  axes_simplify(&result, 0);
  return result;
}

static long row_normalization_units(const prunec_row_normalization *p) {
  axes rows = row_normalization_axes(p);
  return p->length > 0 ? axes_places(&rows, rows.rank) : 0;
}

/// (x - center) * factor * scale + bias.
static inline vector vector_normalize(vector x, vector center, vector factor, vector scale, vector bias) {
  return vector_multiply_add((x - center) * factor, scale, bias);
}

/// y = (x - center) * factor * scale + bias; y may be x, and scale and bias null.
static inline void row_normalize(const float *x, long length, vector center, vector factor,
    const float *scale, const float *bias, float *y) {
  const vector zero = vector_broadcast(0), one = vector_broadcast(1);
  long i = 0;
  for (; i + width <= length; i += width) {
    vector a = scale ? vector_load(scale + i) : one, b = bias ? vector_load(bias + i) : zero;
    vector_store(y + i, vector_normalize(vector_load(x + i), center, factor, a, b));
  }
  if (i < length) {
    long lanes = length - i;
    vector a = scale ? vector_load_partial(scale + i, lanes) : one;
    vector b = bias ? vector_load_partial(bias + i, lanes) : zero;
    vector last = vector_normalize(vector_load_partial(x + i, lanes), center, factor, a, b);
    vector_store_partial(y + i, last, lanes);
  }
}

static void row_normalization(const prunec_row_normalization *p, long begin, long end) {
  if (begin >= end) return;
  axes rows = row_normalization_axes(p);
  place row = place_number(&rows, rows.rank, begin);
  const vector zero = vector_broadcast(0);
  const float length = (float)p->length;
  for (long unit = begin; unit < end; unit++, place_advance(&row, &rows)) {
    const float *x = p->x + row.offsets[0];
    vector center = zero;
    if (!p->keeps_mean)
      center = vector_broadcast(
          vector_sum(reduce_row_by(map_itself, combine_sum, zero, x, 1, p->length, zero)) / length);
    float variance =
      vector_sum(reduce_row_by(map_squared_distance, combine_sum, zero, x, 1, p->length, center)) / length;
    vector factor = vector_broadcast(1 / sqrtf(variance + p->epsilon));
    row_normalize(x, p->length, center, factor, p->scale, p->bias, p->y + row.offsets[1]);
  }
}

// ---------------------------------------------------------------------------------------------------
// Groups of channels

/// About how many channels a unit has, and how many are worked on at once where several units are asked for:
/// memory is read the faster the more adjacent channels are.
enum { normalization_chunk = 64, normalization_columns = 512 };

/// How many groups a unit takes.
static long group_normalization_groups(const prunec_group_normalization *p) {
  return larger(1, normalization_chunk / larger(1, p->channels));
}

static long group_normalization_units(const prunec_group_normalization *p) {
  return p->channels > 0 && p->pixels > 0 ? p->batch * parts(p->groups, group_normalization_groups(p)) : 0;
}

/// Replaces what each channel has by what its group has, divided by the number of elements.
static inline void group_average(float *channels, long groups, long group_channels, long pixels) {
  for (long group = 0; group < groups; group++, channels += group_channels) {
    double total = 0;
    for (long c = 0; c < group_channels; c++) total += channels[c];
    float average = (float)(total / ((double)group_channels * (double)pixels));
    for (long c = 0; c < group_channels; c++) channels[c] = average;
  }
}

/// Some whole groups of few channels.
static inline void group_normalize_small(
    const prunec_group_normalization *p, const float *x, float *y, long groups, long channel) {
  float centers[normalization_columns], factors[normalization_columns];
  const long count = groups * p->channels;
  for (long c = 0; c < count; c++) centers[c] = factors[c] = 0;
  reduce_columns_by(map_itself, combine_sum, x, p->pixels, p->x_pixel, count, NULL, centers);
  group_average(centers, groups, p->channels, p->pixels);
  reduce_columns_by(map_squared_distance, combine_sum, x, p->pixels, p->x_pixel, count, centers, factors);
  group_average(factors, groups, p->channels, p->pixels);
  for (long c = 0; c < count; c++) {
    factors[c] = 1 / sqrtf(factors[c] + p->epsilon);
    if (p->scale) factors[c] *= p->scale[channel + c];
  }
  const float *bias = p->bias ? p->bias + channel : NULL;
  // Some pixels at a time, which stay in the first cache until all of their channels are done.
  enum { block = 8 };
  for (long first = 0; first < p->pixels; first += block)
    for (long c = 0; c < count; c += width) {
      long lanes = smaller(width, count - c), pixels = smaller(block, p->pixels - first);
      vector center = vector_load_partial(centers + c, lanes);
      vector factor = vector_load_partial(factors + c, lanes);
      vector offset = bias ? vector_load_partial(bias + c, lanes) : vector_broadcast(0);
      const float *from = x + first * p->x_pixel + c;
      float *to = y + first * p->y_pixel + c;
      for (long pixel = 0; pixel < pixels; pixel++, from += p->x_pixel, to += p->y_pixel) {
        vector distance = vector_load_partial(from, lanes) - center;
        vector_store_partial(to, vector_multiply_add(distance, factor, offset), lanes);
      }
    }
}

/// One group of many channels.
static inline void group_normalize_large(
    const prunec_group_normalization *p, const float *x, float *y, long channel) {
  const double elements = (double)p->channels * (double)p->pixels;
  const vector zero = vector_broadcast(0);
  double sum = 0, squares = 0;
  for (long pixel = 0; pixel < p->pixels; pixel++)
    sum += vector_sum(
        reduce_row_by(map_itself, combine_sum, zero, x + pixel * p->x_pixel, 1, p->channels, zero));
  vector center = vector_broadcast((float)(sum / elements));
  for (long pixel = 0; pixel < p->pixels; pixel++)
    squares += vector_sum(reduce_row_by(
        map_squared_distance, combine_sum, zero, x + pixel * p->x_pixel, 1, p->channels, center));
  vector factor = vector_broadcast(1 / sqrtf((float)(squares / elements) + p->epsilon));
  const float *scale = p->scale ? p->scale + channel : NULL, *bias = p->bias ? p->bias + channel : NULL;
  for (long pixel = 0; pixel < p->pixels; pixel++)
    row_normalize(x + pixel * p->x_pixel, p->channels, center, factor, scale, bias, y + pixel * p->y_pixel);
}

static void group_normalization(const prunec_group_normalization *p, long begin, long end) {
  const long groups = group_normalization_groups(p), item_units = parts(p->groups, groups);
  const long most = larger(1, normalization_columns / larger(1, groups * p->channels));
  for (long unit = begin, units; unit < end; unit += units) {
    long item = unit / item_units, first = unit % item_units, group = first * groups;
    long channel = group * p->channels;
    units = p->channels > normalization_chunk ? 1 : smaller(smaller(item_units - first, end - unit), most);
    const float *x = p->x + item * p->x_batch + channel;
    float *y = p->y + item * p->y_batch + channel;
    if (p->channels > normalization_chunk) group_normalize_large(p, x, y, channel);
    else group_normalize_small(p, x, y, smaller(units * groups, p->groups - group), channel);
  }
}
