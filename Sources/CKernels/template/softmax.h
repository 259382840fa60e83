/// Softmax of rows.

static axes softmax_axes(const prunec_softmax *p) {
  axes result = axes_make(p->rank, p->shape, 2);
  axes_set(&result, 0, p->x_strides);
  axes_set(&result, 1, p->y_strides);
  axes_simplify(&result, 0);
  return result;
}

static long softmax_units(const prunec_softmax *p) {
  axes rows = softmax_axes(p);
  return p->length > 0 ? axes_places(&rows, rows.rank) : 0;
}

/// The largest element of a row.
static inline float row_maximum(const float *x, long length) {
  vector least = vector_broadcast(-INFINITY);
  vector m0 = least, m1 = least;
  long i = 0;
  for (; i + 2 * width <= length; i += 2 * width) {
    m0 = vector_maximum(m0, vector_load(x + i));
    m1 = vector_maximum(m1, vector_load(x + i + width));
  }
  for (; i < length; i += width) {
    long lanes = smaller(width, length - i);
    m0 = vector_maximum(m0, vector_keep(vector_load_partial(x + i, lanes), lanes, least));
  }
  return vector_largest(vector_maximum(m0, m1));
}

/// The sum of exp(x - maximum); the exponentials go to y if there is one.
static inline float row_exponentials(const float *x, long length, vector maximum, float *y) {
  vector zero = vector_broadcast(0), s0 = zero, s1 = zero;
  long i = 0;
  for (; i + 2 * width <= length; i += 2 * width) {
    vector e0 = vector_exponential(vector_load(x + i) - maximum);
    vector e1 = vector_exponential(vector_load(x + i + width) - maximum);
    if (y) {
      vector_store(y + i, e0);
      vector_store(y + i + width, e1);
    }
    s0 += e0;
    s1 += e1;
  }
  for (; i < length; i += width) {
    long lanes = smaller(width, length - i);
    vector e = vector_exponential(vector_load_partial(x + i, lanes) - maximum);
    if (y) vector_store_partial(y + i, e, lanes);
    s0 += vector_keep(e, lanes, zero);
  }
  return vector_sum(s0 + s1);
}

/// y = x scale; y may be x.
static inline void row_scale(const float *x, long length, vector scale, float *y) {
  long i = 0;
  for (; i + width <= length; i += width) vector_store(y + i, vector_load(x + i) * scale);
  if (i < length) vector_store_partial(y + i, vector_load_partial(x + i, length - i) * scale, length - i);
}

/// y = x - a - b; y may be x. The two are not added up: the small one would get lost in the large one.
static inline void row_subtract(const float *x, long length, vector a, vector b, float *y) {
  long i = 0;
  for (; i + width <= length; i += width) vector_store(y + i, vector_load(x + i) - a - b);
  if (i < length)
    vector_store_partial(y + i, vector_load_partial(x + i, length - i) - a - b, length - i);
}

static void softmax(const prunec_softmax *p, long begin, long end) {
  if (begin >= end) return;
  axes rows = softmax_axes(p);
  place row = place_number(&rows, rows.rank, begin);
  for (long unit = begin; unit < end; unit++, place_advance(&row, &rows)) {
    const float *x = p->x + row.offsets[0];
    float *y = p->y + row.offsets[1];
    float maximum = row_maximum(x, p->length);
    float sum = row_exponentials(x, p->length, vector_broadcast(maximum), p->is_logarithm ? NULL : y);
    if (p->is_logarithm)
      row_subtract(x, p->length, vector_broadcast(maximum), vector_broadcast(logf(sum)), y);
    else
      row_scale(y, p->length, vector_broadcast(1 / sum), y);
  }
}
