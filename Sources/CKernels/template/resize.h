/// Enlarging and reducing planes by interpolation.

static long resize_units(const prunec_resize *p) {
  return p->out_width > 0 && p->channels > 0 ? p->batch * p->out_height : 0;
}

/// y = the sum of 1, 2 or 4 pixels with weights. A constant count leaves no choice in the loop.
static inline __attribute__((always_inline)) void resize_pixel(
    int count, const float *const *x, const float *weights, long channels, float *y) {
  vector w0 = vector_broadcast(weights[0]), w1 = w0, w2 = w0, w3 = w0;
  if (count > 1) w1 = vector_broadcast(weights[1]);
  if (count > 2) {
    w2 = vector_broadcast(weights[2]);
    w3 = vector_broadcast(weights[3]);
  }
  for (long c = 0; c < channels; c += width) {
    long lanes = smaller(width, channels - c);
    vector sum = vector_load_partial(x[0] + c, lanes) * w0;
    if (count > 1) sum = vector_multiply_add(vector_load_partial(x[1] + c, lanes), w1, sum);
    if (count > 2) {
      sum = vector_multiply_add(vector_load_partial(x[2] + c, lanes), w2, sum);
      sum = vector_multiply_add(vector_load_partial(x[3] + c, lanes), w3, sum);
    }
    vector_store_partial(y + c, sum, lanes);
  }
}

static void resize(const prunec_resize *p, long begin, long end) {
  const int row_count = p->row_weights[1] ? 2 : 1, column_count = p->column_weights[1] ? 2 : 1;
  const int count = row_count * column_count;
  for (long unit = begin; unit < end; unit++) {
    long item = unit / p->out_height, i = unit % p->out_height;
    const float *x = p->x + item * p->x_batch;
    float *y = p->y + item * p->y_batch + i * p->y_row;
    for (long j = 0; j < p->out_width; j++, y += p->y_pixel) {
      const float *pixels[4];
      float weights[4];
      for (int r = 0; r < row_count; r++)
        for (int s = 0; s < column_count; s++) {
          pixels[r * column_count + s] = x + p->rows[r][i] * p->x_row + p->columns[s][j] * p->x_pixel;
          weights[r * column_count + s] = p->row_weights[r][i] * p->column_weights[s][j];
        }
      // A lone pixel of weight 1 is copied as it is, infinities and all.
      if (count == 1 && weights[0] == 1) memcpy(y, pixels[0], (size_t)p->channels * sizeof(float));
      else if (count == 1) resize_pixel(1, pixels, weights, p->channels, y);
      else if (count == 2) resize_pixel(2, pixels, weights, p->channels, y);
      else resize_pixel(4, pixels, weights, p->channels, y);
    }
  }
}
