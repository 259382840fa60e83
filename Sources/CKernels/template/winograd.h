/// Winograd's convolution F(2 x 2, 3 x 3) (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks,
/// 2015, section 4.1): tiles of 2 x 2 output pixels from 4 x 4 input pixels by 16 multiplications instead of
/// 36. Between the two transforms here, 16 matrix products sum over the channels.

enum { tile_side = 4, tile_outputs = 2, tile_parts = tile_side * tile_side };

/// Where a row of tiles lies.
typedef struct {
  long batch, row;
} tile_line;

static inline tile_line tile_line_at(long line, long tile_rows) {
  return (tile_line){line / tile_rows, line % tile_rows * tile_outputs};
}

/// B^T d B of some channels of one tile. `x` has null for pixels outside.
static inline __attribute__((always_inline)) void winograd_transform_input(
    const float *const *x, long channel, long lanes, float *v, long pitch) {
  vector d[tile_side][tile_side], t[tile_side][tile_side];
  PRUNEC_UNROLL for (long i = 0; i < tile_parts; i++) {
    const float *source = x[i];
    d[i / tile_side][i % tile_side] = source ? vector_load_up_to(source + channel, lanes) : (vector){};
  }
  PRUNEC_UNROLL for (long j = 0; j < tile_side; j++) {
    t[0][j] = d[0][j] - d[2][j];
    t[1][j] = d[1][j] + d[2][j];
    t[2][j] = d[2][j] - d[1][j];
    t[3][j] = d[1][j] - d[3][j];
  }
  PRUNEC_UNROLL for (long i = 0; i < tile_side; i++) {
    vector parts[tile_side] = {t[i][0] - t[i][2], t[i][1] + t[i][2], t[i][2] - t[i][1], t[i][1] - t[i][3]};
    PRUNEC_UNROLL for (long j = 0; j < tile_side; j++)
      vector_store_up_to(v + (i * tile_side + j) * pitch + channel, parts[j], lanes);
  }
}

static long winograd_input_units(const prunec_winograd_input *a) {
  return a->lines;
}

static void winograd_input(const prunec_winograd_input *a, long begin, long end) {
  const long pitch = a->lines * a->tile_columns * a->channels;
  for (long line = begin; line < end; line++) {
    tile_line place = tile_line_at(a->first_line + line, a->tile_rows);
    const float *image = a->x + place.batch * a->x_batch;
    for (long column = 0; column < a->tile_columns; column++) {
      const float *x[tile_parts];
      for (long i = 0; i < tile_parts; i++) {
        long u = place.row - a->pad_top + i / tile_side;
        long w = column * tile_outputs - a->pad_left + i % tile_side;
        bool exists = u >= 0 && u < a->in_height && w >= 0 && w < a->in_width;
        x[i] = exists ? image + u * a->x_row + w * a->x_pixel : NULL;
      }
      float *v = a->v + (line * a->tile_columns + column) * a->channels;
      long channel = 0;
      for (; channel + width <= a->channels; channel += width)
        winograd_transform_input(x, channel, width, v, pitch);
      if (channel < a->channels) winograd_transform_input(x, channel, a->channels - channel, v, pitch);
    }
  }
}

/// The pixels of a tile that exist in y.
typedef struct {
  long count;
  long part[tile_outputs * tile_outputs];
  const float *addend[tile_outputs * tile_outputs];
  float *y[tile_outputs * tile_outputs];
} tile_results;

/// A^T m A of some channels of one tile, and what follows.
static inline __attribute__((always_inline)) void winograd_transform_output(
    const prunec_winograd_output *a, const epilogue *e, const tile_results *r, const float *m, long pitch,
    long channel, long lanes) {
  vector t[tile_outputs][tile_side], sums[tile_outputs * tile_outputs];
  PRUNEC_UNROLL for (long j = 0; j < tile_side; j++) {
    vector s[tile_side];
    PRUNEC_UNROLL for (long i = 0; i < tile_side; i++)
      s[i] = vector_load_up_to(m + (i * tile_side + j) * pitch + channel, lanes);
    t[0][j] = s[0] + s[1] + s[2];
    t[1][j] = s[1] - s[2] - s[3];
  }
  vector bias = a->bias ? vector_load_up_to(a->bias + channel, lanes) : (vector){};
  PRUNEC_UNROLL for (long i = 0; i < tile_outputs; i++) {
    sums[i * tile_outputs] = t[i][0] + t[i][1] + t[i][2] + bias;
    sums[i * tile_outputs + 1] = t[i][1] - t[i][2] - t[i][3] + bias;
  }
  if (e->is_simple) {
    vector low = vector_broadcast(e->low), high = vector_broadcast(e->high);
    for (long p = 0; p < r->count; p++) {
      vector sum = sums[r->part[p]];
      if (a->addend) sum += vector_load_up_to(r->addend[p] + channel, lanes);
      vector_store_up_to(r->y[p] + channel, vector_clamp(sum, low, high), lanes);
    }
    return;
  }
  float rows[tile_outputs * tile_outputs * width], *y[tile_outputs * tile_outputs];
  const float *addends[tile_outputs * tile_outputs];
  for (long p = 0; p < r->count; p++) {
    vector_store(rows + p * width, sums[r->part[p]]);
    y[p] = r->y[p] + channel;
    if (a->addend) addends[p] = r->addend[p] + channel;
  }
  epilogue_apply(e, r->count, lanes, rows, width, a->addend ? addends : NULL, y);
}

static long winograd_output_units(const prunec_winograd_output *a) {
  return a->lines;
}

static void winograd_output(const prunec_winograd_output *a, long begin, long end) {
  const long pitch = a->lines * a->tile_columns * a->channels;
  const epilogue e = epilogue_of(a->activation, a->addend, a->adds_last);
  for (long line = begin; line < end; line++) {
    tile_line place = tile_line_at(a->first_line + line, a->tile_rows);
    for (long column = 0; column < a->tile_columns; column++) {
      tile_results r = {.count = 0};
      for (long p = 0; p < tile_outputs * tile_outputs; p++) {
        long i = place.row + p / tile_outputs, j = column * tile_outputs + p % tile_outputs;
        if (i >= a->out_height || j >= a->out_width) continue;
        r.part[r.count] = p;
        r.y[r.count] = a->y + place.batch * a->y_batch + i * a->y_row + j * a->y_pixel;
        if (a->addend)
          r.addend[r.count] =
              a->addend + place.batch * a->addend_batch + i * a->addend_row + j * a->addend_pixel;
        r.count++;
      }
      const float *m = a->sums + (line * a->tile_columns + column) * a->channels;
      long channel = 0;
      for (; channel + width <= a->channels; channel += width)
        winograd_transform_output(a, &e, &r, m, pitch, channel, width);
      if (channel < a->channels)
        winograd_transform_output(a, &e, &r, m, pitch, channel, a->channels - channel);
    }
  }
}
