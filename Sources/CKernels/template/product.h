/// Products of pixels with packed weights: convolutions and matrix products.

enum {
  /// How many pixels a tile has, at most.
  tile_pixels = 14,
  /// How many vectors of sums a tile has, at most.
  tile_sums = 24,
  /// How many pointers to pixels a tile is given at once, at most.
  tile_pointers = 448,
};

/// A block of pixels and a panel of output channels, and what its tiles have in common.
typedef struct {
  const prunec_product *a;
  panel panel;
  epilogue epilogue;
  /// The taps: rows and columns of the kernel, or rows alone where `depth` spans all columns.
  long rows, columns, depth;
  const float *x, *weights, *addend;
  float *y;
  float bias[panel_vectors * width];
} product_block;

/// The top left pixels of x that a tile's windows have, and whether all of the windows lie inside.
typedef struct {
  long row[tile_pixels], column[tile_pixels];
  bool are_inside;
} product_windows;

/// Points to the channels of a window's pixels, from the tap (u, v) on, or to zeros.
static void product_point(
    const product_block *block, const product_windows *windows, long u, long v, long taps, long pixels,
    const float **x) {
  const prunec_product *a = block->a;
  for (long tap = 0; tap < taps; tap++, x += pixels) {
    long down = u * a->dilation_height, right = v * a->dilation_width;
    for (long p = 0; p < pixels; p++) {
      long i = windows->row[p] + down, j = windows->column[p] + right;
      bool exists = windows->are_inside || (i >= 0 && i < a->in_height && j >= 0 && j < a->in_width);
      x[p] = exists ? block->x + i * a->x_row + j * a->x_pixel : a->zeros;
    }
    if (++v == block->columns) u++, v = 0;
  }
}

static void product_tile(const product_block *block, tile_function *function, long first, long pixels) {
  const prunec_product *a = block->a;
  const long reach_height = (a->kernel_height - 1) * a->dilation_height;
  const long reach_width = (a->kernel_width - 1) * a->dilation_width;
  const float *addend[tile_pixels];
  float *y[tile_pixels];
  product_windows windows = {.are_inside = true};
  for (long p = 0, i = first / a->out_width, j = first % a->out_width; p < pixels; p++) {
    long row = i * a->stride_height - a->pad_top, column = j * a->stride_width - a->pad_left;
    windows.row[p] = row;
    windows.column[p] = column;
    windows.are_inside &= row >= 0 && row + reach_height < a->in_height;
    windows.are_inside &= column >= 0 && column + reach_width < a->in_width;
    y[p] = block->y + i * a->y_row + j * a->y_pixel;
    addend[p] = block->addend ? block->addend + i * a->addend_row + j * a->addend_pixel : NULL;
    if (++j == a->out_width) i++, j = 0;
  }

  const long taps = block->rows * block->columns, vectors = block->panel.vectors;
  const long tap_size = divide_up(block->depth, block->panel.split) * vectors * width;
  const float *x[tile_pointers];
  long most = tile_pointers / pixels;

  // The sums lie here between parts of the taps, and where the epilogue is more than a tile can do.
  static const float no_bias[panel_vectors * width];
  float sums[tile_sums * width], *sum[tile_pixels];
  const float *sum_before[tile_pixels];
  bool is_direct = block->epilogue.is_simple && (taps <= most || !block->addend);
  if (!is_direct || taps > most) {
    for (long p = 0; p < pixels; p++) sum_before[p] = sum[p] = sums + p * vectors * width;
  }

  for (long tap = 0, part; tap < taps; tap += part) {
    part = taps - tap < most ? taps - tap : most;
    product_point(block, &windows, tap / block->columns, tap % block->columns, part, pixels, x);
    tile tile = {
      .x = x,
      .taps = part,
      .depth = block->depth,
      .weights = block->weights + tap * tap_size,
      .bias = tap == 0 ? block->bias : no_bias,
      .addend = tap > 0 ? sum_before : NULL,
      .low = -INFINITY,
      .high = INFINITY,
      .last_channels = width,
      .y = sum,
    };
    if (is_direct && tap + part == taps) {
      if (block->addend) tile.addend = addend;
      tile.low = block->epilogue.low;
      tile.high = block->epilogue.high;
      tile.last_channels = block->panel.channels - (vectors - 1) * width;
      tile.y = y;
    }
    function(&tile);
  }
  if (!is_direct) {
    epilogue_apply(
        &block->epilogue, pixels, block->panel.channels, sums, vectors * width,
        block->addend ? addend : NULL, y);
  }
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
    .x = a->x + batch * a->x_batch + group * a->x_group,
    .weights = a->weights + batch * a->weights_batch + group * a->weights_group +
               panel_offset(panel, a->in_channels, a->kernel_height * a->kernel_width),
    .addend = a->addend
        ? a->addend + batch * a->addend_batch + group * a->addend_group + panel.channel : NULL,
    .y = a->y + batch * a->y_batch + group * a->y_group + panel.channel,
  };
  if (a->bias)
    memcpy(block.bias, a->bias + group * a->out_channels + panel.channel, panel.channels * sizeof(float));

  tile_family family = tiles_for(panel);
  long first = place * a->pixel_block, pixels = a->out_height * a->out_width - first;
  if (pixels > a->pixel_block) pixels = a->pixel_block;
  long tiles = divide_up(pixels, family.pixels);
  for (long i = 0; i < tiles; i++) {
    long begin = pixels * i / tiles, end = pixels * (i + 1) / tiles;
    product_tile(&block, family.by_pixels[end - begin - 1], first + begin, end - begin);
  }
}

static void product(const prunec_product *a, long begin, long end) {
  for (long unit = begin; unit < end; unit++) product_unit(a, unit);
}
