/// Products of pixels with packed weights: convolutions and matrix products.

enum {
  /// How many pixels a tile has, at most.
  tile_pixels = 12,
  /// How many vectors of sums a tile has, at most.
  tile_sums = 24,
  /// How many taps a tile is given at once, at most.
  tile_taps = 32,
};

/// A block of pixels and a panel of output channels, and what its tiles have in common.
typedef struct {
  const prunec_product *a;
  panel panel;
  epilogue epilogue;
  tile_family family;
  /// The taps: rows and columns of the kernel, or rows alone where `depth` spans all columns.
  long rows, columns, depth;
  /// From one row or column of taps to the next.
  long row_step, column_step;
  /// How far below and right of its first tap a window has its last.
  long reach_height, reach_width;
  /// The offsets of the first `tile_taps` taps, and as many zeros.
  long offsets[tile_taps], no_offsets[tile_taps];
  const float *x, *weights, *addend;
  float *y;
  float bias[panel_vectors * width], no_bias[panel_vectors * width];
} product_block;

/// The pixels of a tile.
typedef struct {
  long count;
  /// The first tap of each window, which may lie outside of x.
  long row[tile_pixels], column[tile_pixels];
  bool are_inside;
  const float *x[tile_pixels];  ///< the same, where all windows lie inside
  const float *addend[tile_pixels];
  float *y[tile_pixels];
} product_pixels;

/// The offsets of the first taps.
static void product_offsets(const product_block *block, long count, long *offsets) {
  long u = 0, v = 0;
  for (long tap = 0; tap < count; tap++) {
    offsets[tap] = u * block->row_step + v * block->column_step;
    if (++v == block->columns) u++, v = 0;
  }
}

/// Points to each window's pixels, tap by tap from `first` on, or to zeros.
static void product_point(
    const product_block *block, const product_pixels *pixels, long first, long count, const float **x) {
  const prunec_product *a = block->a;
  long u = first / block->columns, v = first % block->columns;
  for (long tap = 0; tap < count; tap++, x += pixels->count) {
    long down = u * a->dilation_height, right = v * a->dilation_width;
    for (long p = 0; p < pixels->count; p++) {
      long i = pixels->row[p] + down, j = pixels->column[p] + right;
      bool exists = i >= 0 && i < a->in_height && j >= 0 && j < a->in_width;
      x[p] = exists ? block->x + (i * a->x_row + j * a->x_pixel) : a->zeros;
    }
    if (++v == block->columns) u++, v = 0;
  }
}

static void product_locate(const product_block *block, long first, long count, product_pixels *pixels) {
  const prunec_product *a = block->a;
  pixels->count = count;
  pixels->are_inside = true;
  long i = first / a->out_width, j = first - i * a->out_width;
  for (long p = 0; p < count; p++) {
    long row = i * a->stride_height - a->pad_top, column = j * a->stride_width - a->pad_left;
    pixels->row[p] = row;
    pixels->column[p] = column;
    pixels->are_inside &= row >= 0 && row + block->reach_height < a->in_height;
    pixels->are_inside &= column >= 0 && column + block->reach_width < a->in_width;
    pixels->y[p] = block->y + i * a->y_row + j * a->y_pixel;
    if (++j == a->out_width) i++, j = 0;
  }
  if (pixels->are_inside) {
    for (long p = 0; p < count; p++)
      pixels->x[p] = block->x + pixels->row[p] * a->x_row + pixels->column[p] * a->x_pixel;
  }
  if (!block->addend) return;
  i = first / a->out_width, j = first - i * a->out_width;
  for (long p = 0; p < count; p++) {
    pixels->addend[p] = block->addend + i * a->addend_row + j * a->addend_pixel;
    if (++j == a->out_width) i++, j = 0;
  }
}

static void product_tile(const product_block *block, long first, long count) {
  const long taps = block->rows * block->columns, vectors = block->panel.vectors;
  tile_function *function = block->family.by_pixels[count - 1];
  product_pixels pixels;
  product_locate(block, first, count, &pixels);
  tile tile = {
    .x = pixels.x,
    .offsets = block->offsets,
    .taps = taps,
    .depth = block->depth,
    .weights = block->weights,
    .bias = block->bias,
    .addend = block->addend ? pixels.addend : NULL,
    .low = block->epilogue.low,
    .high = block->epilogue.high,
    .last_channels = block->panel.channels - (vectors - 1) * width,
    .y = pixels.y,
  };
  const float *x[tile_taps * tile_pixels];
  if (taps <= tile_taps && block->epilogue.is_simple) {
    if (!pixels.are_inside) {
      product_point(block, &pixels, 0, taps, x);
      tile.x = x;
      tile.x_tap = count;
      tile.offsets = block->no_offsets;
    }
    function(&tile);
    return;
  }

  // The sums rest here between parts of the taps, and before an epilogue that is more than a tile can do.
  float sums[tile_sums * width], *sum[tile_pixels];
  const float *sum_before[tile_pixels];
  for (long p = 0; p < count; p++) sum_before[p] = sum[p] = sums + p * vectors * width;
  tile.low = -INFINITY;
  tile.high = INFINITY;
  tile.last_channels = width;
  tile.y = sum;
  tile.addend = NULL;
  tile.x = x;
  tile.x_tap = count;
  tile.offsets = block->no_offsets;
  for (long tap = 0; tap < taps; tap += tile.taps) {
    tile.taps = taps - tap < tile_taps ? taps - tap : tile_taps;
    product_point(block, &pixels, tap, tile.taps, x);
    function(&tile);
    tile.weights += tile.taps * divide_up(block->depth, block->panel.split) * vectors * width;
    tile.bias = block->no_bias;
    tile.addend = sum_before;
  }
  epilogue_apply(
      &block->epilogue, count, block->panel.channels, sums, vectors * width,
      block->addend ? pixels.addend : NULL, pixels.y);
}

/// Whether a row of taps reads adjacent elements of x, so that it is like one tap of more channels.
static bool product_joins_columns(const prunec_product *a, panel panel) {
  return a->kernel_width > 1 && panel.split == 1 && a->x_pixel == a->in_channels && a->dilation_width == 1 &&
         a->pad_left == 0 && (a->out_width - 1) * a->stride_width + a->kernel_width <= a->in_width &&
         a->pad_top == 0 &&
         (a->out_height - 1) * a->stride_height + (a->kernel_height - 1) * a->dilation_height < a->in_height;
}

static long product_blocks(const prunec_product *a) {
  return divide_up(a->out_height * a->out_width, a->pixel_block);
}

static long product_units(const prunec_product *a) {
  return a->batch * a->groups * product_blocks(a) * panel_count(a->out_channels, a->in_channels);
}

static void product_unit(const prunec_product *a, long unit) {
  const long panels = panel_count(a->out_channels, a->in_channels), blocks = product_blocks(a);
  panel panel = panel_at(unit % panels, a->out_channels, a->in_channels);
  long place = unit / panels % blocks, item = unit / panels / blocks;
  long group = item % a->groups, batch = item / a->groups;
  bool joins = product_joins_columns(a, panel);
  product_block block = {
    .a = a,
    .panel = panel,
    .epilogue = epilogue_of(a->activation, a->addend, a->adds_last),
    .rows = a->kernel_height,
    .columns = joins ? 1 : a->kernel_width,
    .depth = joins ? a->kernel_width * a->in_channels : a->in_channels,
    .family = tiles_for(panel),
    .row_step = a->dilation_height * a->x_row,
    .column_step = a->dilation_width * a->x_pixel,
    .reach_height = (a->kernel_height - 1) * a->dilation_height,
    .reach_width = (a->kernel_width - 1) * a->dilation_width,
    .x = a->x + batch * a->x_batch + group * a->x_group,
    .weights = a->weights + batch * a->weights_batch + group * a->weights_group +
               panel_offset(panel, a->in_channels, a->kernel_height * a->kernel_width),
    .addend = a->addend
        ? a->addend + batch * a->addend_batch + group * a->addend_group + panel.channel : NULL,
    .y = a->y + batch * a->y_batch + group * a->y_group + panel.channel,
  };
  if (a->bias)
    memcpy(block.bias, a->bias + group * a->out_channels + panel.channel, panel.channels * sizeof(float));

  long taps = block.rows * block.columns;
  product_offsets(&block, taps < tile_taps ? taps : tile_taps, block.offsets);
  long first = place * a->pixel_block, pixels = a->out_height * a->out_width - first;
  if (pixels > a->pixel_block) pixels = a->pixel_block;
  long tiles = divide_up(pixels, block.family.pixels);
  for (long i = 0; i < tiles; i++) {
    long begin = pixels * i / tiles, end = pixels * (i + 1) / tiles;
    product_tile(&block, first + begin, end - begin);
  }
}

static void product(const prunec_product *a, long begin, long end) {
  for (long unit = begin; unit < end; unit++) product_unit(a, unit);
}
