/// Products of pixels with packed weights: convolutions and matrix products.

enum {
  /// How many pixels a tile has, at most.
  tile_pixels = 12,
  /// How many vectors of sums a tile has, at most.
  tile_sums = 24,
  /// How many taps a tile is given at once, at most.
  tile_taps = 64,
  cache_line = 64,
};

/// A part of the sum: some taps of all channels, or some channels of one tap.
typedef struct {
  long tap, taps;
  long channel, depth;
  bool is_first, is_last;
} stage;

/// Channels that a panel's vectors may hold together are in one stage.
enum { stage_channels = 4 };

static long stages_of_tap(const prunec_product *a) {
  long stages = divide_up(a->in_channels * panel_vectors * (long)sizeof(vector), a->stage_size);
  long most = divide_up(a->in_channels, stage_channels);
  return stages < most ? stages : most;
}

/// In how many stages a product comes to its sums.
static long stage_count(const prunec_product *a) {
  long taps = a->kernel_height * a->kernel_width, parts = stages_of_tap(a);
  if (parts > 1) return taps * parts;
  long size = taps * a->in_channels * panel_vectors * (long)sizeof(vector);
  long by_size = divide_up(size, a->stage_size), by_taps = divide_up(taps, tile_taps);
  if (by_size > taps) by_size = taps;
  return by_size > by_taps ? by_size : by_taps;
}

/// A stage of `taps` taps with `depth` channels each.
static stage stage_at(const prunec_product *a, long index, long count, long taps, long depth) {
  stage s = {.taps = 1, .depth = depth, .is_first = index == 0, .is_last = index == count - 1};
  long parts = stages_of_tap(a);
  if (parts > 1) {
    long pieces = divide_up(depth, stage_channels), part = index % parts;
    long end = pieces * (part + 1) / parts * stage_channels;
    s.tap = index / parts;
    s.channel = pieces * part / parts * stage_channels;
    s.depth = (end < depth ? end : depth) - s.channel;
  } else {
    s.tap = taps * index / count;
    s.taps = taps * (index + 1) / count - s.tap;
  }
  return s;
}

/// A block of pixels, a panel of output channels and a stage, and what its tiles have in common.
typedef struct {
  const prunec_product *a;
  panel panel;
  stage stage;
  epilogue epilogue;
  tile_family family;
  /// Columns of taps; 1 where a stage's depth spans them all.
  long columns;
  /// How far below and right of its first tap a window has its last.
  long reach_height, reach_width;
  /// Where each tap of the stage is, and as many zeros.
  long offsets[tile_taps], no_offsets[tile_taps];
  const float *x, *weights, *addend;
  float *y;
  float bias[panel_vectors * width];
  /// What of the next weights comes into the cache with the next tile: so many bytes with each tile.
  const char *ahead;
  long ahead_size;
} product_block;

/// The pixels of a tile.
typedef struct {
  long count;
  bool are_inside;  ///< with all of their windows
  /// Where each window begins, where one of them does not lie inside.
  long row[tile_pixels], column[tile_pixels];
  /// The first tap of each, where all lie inside.
  const float *x[tile_pixels];
  const float *addend[tile_pixels];
  float *y[tile_pixels];
} product_pixels;

/// The offsets of the stage's taps.
static void product_offsets(product_block *block) {
  const prunec_product *a = block->a;
  long u = block->stage.tap / block->columns, v = block->stage.tap % block->columns;
  for (long tap = 0; tap < block->stage.taps; tap++) {
    block->offsets[tap] =
        block->stage.channel + u * a->dilation_height * a->x_row + v * a->dilation_width * a->x_pixel;
    if (++v == block->columns) u++, v = 0;
  }
}

/// Points to each window's pixels, tap by tap, or to zeros.
static void product_point(const product_block *block, const product_pixels *pixels, const float **x) {
  const prunec_product *a = block->a;
  long u = block->stage.tap / block->columns, v = block->stage.tap % block->columns;
  for (long tap = 0; tap < block->stage.taps; tap++, x += pixels->count) {
    long down = u * a->dilation_height, right = v * a->dilation_width;
    for (long p = 0; p < pixels->count; p++) {
      long i = pixels->row[p] + down, j = pixels->column[p] + right;
      bool exists = i >= 0 && i < a->in_height && j >= 0 && j < a->in_width;
      x[p] = exists ? block->x + (i * a->x_row + j * a->x_pixel + block->stage.channel) : a->zeros;
    }
    if (++v == block->columns) u++, v = 0;
  }
}

/// Pixels of one row, from its column j on.
static void product_locate_in_row(
    const product_block *block, long i, long j, long count, product_pixels *pixels) {
  const prunec_product *a = block->a;
  long row = i * a->stride_height - a->pad_top, column = j * a->stride_width - a->pad_left;
  pixels->are_inside = row >= 0 && row + block->reach_height < a->in_height && column >= 0 &&
                       column + (count - 1) * a->stride_width + block->reach_width < a->in_width;
  float *y = block->y + i * a->y_row + j * a->y_pixel;
  for (long p = 0; p < count; p++) pixels->y[p] = y + p * a->y_pixel;
  if (pixels->are_inside) {
    const float *x = block->x + row * a->x_row + column * a->x_pixel;
    for (long p = 0; p < count; p++) pixels->x[p] = x + p * a->stride_width * a->x_pixel;
  } else {
    for (long p = 0; p < count; p++)
      pixels->row[p] = row, pixels->column[p] = column + p * a->stride_width;
  }
  if (!block->addend) return;
  const float *addend = block->addend + i * a->addend_row + j * a->addend_pixel;
  for (long p = 0; p < count; p++) pixels->addend[p] = addend + p * a->addend_pixel;
}

/// Pixels from row i and column j on.
static void product_locate(
    const product_block *block, long i, long j, long count, product_pixels *pixels) {
  const prunec_product *a = block->a;
  pixels->count = count;
  if (j + count <= a->out_width) {
    product_locate_in_row(block, i, j, count, pixels);
    return;
  }
  pixels->are_inside = true;
  for (long p = 0; p < count; p++) {
    long row = i * a->stride_height - a->pad_top, column = j * a->stride_width - a->pad_left;
    pixels->row[p] = row;
    pixels->column[p] = column;
    pixels->are_inside &= row >= 0 && row + block->reach_height < a->in_height;
    pixels->are_inside &= column >= 0 && column + block->reach_width < a->in_width;
    pixels->y[p] = block->y + i * a->y_row + j * a->y_pixel;
    if (block->addend) pixels->addend[p] = block->addend + i * a->addend_row + j * a->addend_pixel;
    if (++j == a->out_width) i++, j = 0;
  }
  if (!pixels->are_inside) return;
  for (long p = 0; p < count; p++)
    pixels->x[p] = block->x + pixels->row[p] * a->x_row + pixels->column[p] * a->x_pixel;
}

static void product_tile(const product_block *block, long i, long j, long count) {
  const stage stage = block->stage;
  const long vectors = block->panel.vectors;
  tile_function *function = block->family.by_pixels[count - 1];
  product_pixels pixels;
  product_locate(block, i, j, count, &pixels);
  tile tile = {
    .x = pixels.x,
    .offsets = block->offsets,
    .taps = stage.taps,
    .depth = stage.depth,
    .weights = block->weights,
    .bias = block->bias,
    .low = -INFINITY,
    .high = INFINITY,
    .last_channels = block->panel.channels - (vectors - 1) * width,
    .y = pixels.y,
    .ahead = block->ahead,
  };
  if (block->ahead_size > 0) {
    long step = divide_up(block->ahead_size, stage.taps * divide_up(stage.depth, block->panel.split));
    tile.ahead_step = step < cache_line ? step : cache_line;
  }
  const float *x[tile_taps * tile_pixels];
  if (!pixels.are_inside) {
    product_point(block, &pixels, x);
    tile.x = x;
    tile.x_tap = count;
    tile.offsets = block->no_offsets;
  }
  const float *so_far[tile_pixels];
  if (!stage.is_first) {
    for (long p = 0; p < count; p++) so_far[p] = pixels.y[p];
    tile.addend = so_far;
  } else if (block->addend && !block->epilogue.adds_last) {
    tile.addend = pixels.addend;
    for (long p = 0; p < count; p++) {
      for (long v = 0; v < vectors; v++) __builtin_prefetch(pixels.addend[p] + v * width);
    }
  }
  if (!stage.is_last || block->epilogue.is_simple) {
    if (stage.is_last) {
      tile.low = block->epilogue.low;
      tile.high = block->epilogue.high;
    }
    function(&tile);
    return;
  }

  // The sums rest here before an epilogue that is more than a tile can do.
  float sums[tile_sums * width], *sum[tile_pixels];
  for (long p = 0; p < count; p++) sum[p] = sums + p * vectors * width;
  tile.y = sum;
  function(&tile);
  epilogue_apply(
      &block->epilogue, count, block->panel.channels, sums, vectors * width,
      block->epilogue.adds_last ? pixels.addend : NULL, pixels.y);
}

/// Whether a row of taps reads adjacent elements of x, so that it is like one tap of more channels.
static bool product_joins_columns(const prunec_product *a, panel panel) {
  return a->kernel_width > 1 && panel.split == 1 && a->x_pixel == a->in_channels && a->dilation_width == 1 &&
         a->pad_left == 0 && (a->out_width - 1) * a->stride_width + a->kernel_width <= a->in_width &&
         a->pad_top == 0 &&
         (a->out_height - 1) * a->stride_height + (a->kernel_height - 1) * a->dilation_height < a->in_height &&
         stage_count(a) <= a->kernel_height && stages_of_tap(a) == 1;
}

static long product_blocks(const prunec_product *a) {
  return divide_up(a->out_height * a->out_width, a->pixel_block);
}

static long product_units(const prunec_product *a) {
  return a->batch * a->groups * product_blocks(a) * panel_count(a->out_channels, a->in_channels);
}

/// One stage of one unit.
typedef struct {
  long batch, group, place;
  panel panel;
  bool joins_columns;
  stage stage;
  const float *weights;
  long size;  ///< of the weights, in bytes
} product_part;

static product_part product_part_at(const prunec_product *a, long unit, long index) {
  const long panels = panel_count(a->out_channels, a->in_channels), blocks = product_blocks(a);
  const long item = unit / panels / blocks;
  product_part part = {
    .batch = item / a->groups,
    .group = item % a->groups,
    .place = unit / panels % blocks,
    .panel = panel_at(unit % panels, a->out_channels, a->in_channels),
  };
  part.joins_columns = product_joins_columns(a, part.panel);
  long taps = a->kernel_height * a->kernel_width, columns = part.joins_columns ? a->kernel_width : 1;
  long depth = a->in_channels * columns, split = part.panel.split;
  part.stage = stage_at(a, index, stage_count(a), taps / columns, depth);
  long vectors_before = part.stage.tap * divide_up(depth, split) + part.stage.channel / split;
  part.weights = a->weights + part.batch * a->weights_batch + part.group * a->weights_group +
                 panel_offset(part.panel, a->in_channels, taps) +
                 vectors_before * part.panel.vectors * width;
  part.size = part.stage.taps * divide_up(part.stage.depth, split) * part.panel.vectors * (long)sizeof(vector);
  return part;
}

/// Computes a part, while the weights of the next one come into the cache.
static void product_compute(const prunec_product *a, const product_part *part, const product_part *next) {
  panel panel = part->panel;
  product_block block = {
    .a = a,
    .panel = panel,
    .stage = part->stage,
    .epilogue = epilogue_of(a->activation, a->addend, a->adds_last),
    .family = tiles_for(panel),
    .columns = part->joins_columns ? 1 : a->kernel_width,
    .reach_height = (a->kernel_height - 1) * a->dilation_height,
    .reach_width = (a->kernel_width - 1) * a->dilation_width,
    .x = a->x + part->batch * a->x_batch + part->group * a->x_group,
    .weights = part->weights,
    .addend = a->addend
        ? a->addend + part->batch * a->addend_batch + part->group * a->addend_group + panel.channel : NULL,
    .y = a->y + part->batch * a->y_batch + part->group * a->y_group + panel.channel,
    .ahead = (const char *)(next ? next->weights : part->weights),
  };
  if (a->bias && part->stage.is_first) {
    const float *bias = a->bias + part->group * a->out_channels + panel.channel;
    memcpy(block.bias, bias, panel.channels * sizeof(float));
  }
  product_offsets(&block);

  long first = part->place * a->pixel_block, pixels = a->out_height * a->out_width - first;
  if (pixels > a->pixel_block) pixels = a->pixel_block;
  long tiles = divide_up(pixels, block.family.pixels);
  block.ahead_size = next ? next->size / tiles : 0;
  long row = first / a->out_width, column = first % a->out_width;
  for (long i = 0, begin = 0; i < tiles; i++, block.ahead += block.ahead_size) {
    long end = pixels * (i + 1) / tiles;
    product_tile(&block, row, column, end - begin);
    column += end - begin;
    while (column >= a->out_width) row++, column -= a->out_width;
    begin = end;
  }
}

/// The same product with all pixels in one row, where they lie so.
static prunec_product product_in_one_row(const prunec_product *a) {
  prunec_product flat = *a;
  if (a->kernel_height * a->kernel_width == 1 && a->stride_height == 1 && a->stride_width == 1 &&
      a->pad_top == 0 && a->pad_left == 0 && a->out_height <= a->in_height && a->out_width == a->in_width &&
      a->x_row == a->in_width * a->x_pixel && a->y_row == a->out_width * a->y_pixel &&
      (!a->addend || a->addend_row == a->out_width * a->addend_pixel)) {
    flat.in_width = flat.out_width = a->out_height * a->out_width;
    flat.in_height = flat.out_height = 1;
  }
  return flat;
}

// ---------------------------------------------------------------------------------------------------
// Single pixels

enum {
  /// Number of panels of a single pixel that are computed at once: each sum waits for the one before, and a tile of one pixel
  /// has too few of them to keep the processor busy.
  pixel_panels = 8 / panel_vectors,
  /// Distance, in bytes, by which weights come into the cache before they are read.
  pixel_ahead = 1024,
};

/// Whether each item is one pixel with one tap, whose sum is made in one stage.
static bool product_is_of_single_pixels(const prunec_product *a) {
  return a->out_height * a->out_width == 1 && a->kernel_height * a->kernel_width == 1 && a->pad_top == 0 &&
         a->pad_left == 0 && stage_count(a) == 1;
}

/// Whether that many panels from a unit on are of the same item, and alike.
static bool product_has_pixel_panels(const prunec_product *a, long unit, long end) {
  const long panels = panel_count(a->out_channels, a->in_channels), first = unit % panels;
  if (unit + pixel_panels > end || first + pixel_panels > panels) return false;
  for (long i = 0; i < pixel_panels; i++) {
    panel panel = panel_at(first + i, a->out_channels, a->in_channels);
    if (panel.split != 1 || panel.vectors != panel_vectors) return false;
  }
  return true;
}

/// Sums of as many panels, which begin with the biases. Panels are `pitch` weights apart.
static void product_sum_pixel(
    const float *x, long depth, const float *weights, long pitch, float sums[pixel_panels * panel_vectors * width]) {
  vector sum[pixel_panels][panel_vectors];
  PRUNEC_UNROLL
  for (long i = 0; i < pixel_panels; i++) {
    PRUNEC_UNROLL
    for (long v = 0; v < panel_vectors; v++) sum[i][v] = vector_load(sums + (i * panel_vectors + v) * width);
  }
  for (long k = 0; k < depth; k++, weights += panel_vectors * width) {
    vector b = vector_broadcast(x[k]);
    PRUNEC_UNROLL
    for (long i = 0; i < pixel_panels; i++) {
      const float *w = weights + i * pitch;
      __builtin_prefetch((const char *)w + pixel_ahead);
      PRUNEC_UNROLL
      for (long v = 0; v < panel_vectors; v++)
        sum[i][v] = vector_multiply_add(b, vector_load(w + v * width), sum[i][v]);
    }
  }
  PRUNEC_UNROLL
  for (long i = 0; i < pixel_panels; i++) {
    PRUNEC_UNROLL
    for (long v = 0; v < panel_vectors; v++) vector_store(sums + (i * panel_vectors + v) * width, sum[i][v]);
  }
}

/// Computes as many panels of one pixel from a unit on.
static void product_compute_pixel(const prunec_product *a, long unit) {
  const product_part part = product_part_at(a, unit, 0);
  const long channel = part.panel.channel;
  float sums[pixel_panels * panel_vectors * width] = {0};
  long channels = a->out_channels - channel;
  if (channels > pixel_panels * panel_vectors * width) channels = pixel_panels * panel_vectors * width;
  if (a->bias) memcpy(sums, a->bias + part.group * a->out_channels + channel, (size_t)channels * sizeof(float));
  product_sum_pixel(
      a->x + part.batch * a->x_batch + part.group * a->x_group, a->in_channels, part.weights,
      panel_vectors * width * a->in_channels, sums);
  const float *addend = a->addend
      ? a->addend + part.batch * a->addend_batch + part.group * a->addend_group + channel : NULL;
  float *y = a->y + part.batch * a->y_batch + part.group * a->y_group + channel;
  const epilogue e = epilogue_of(a->activation, a->addend, a->adds_last);
  if (!e.is_simple) {
    epilogue_apply(&e, 1, channels, sums, 0, addend ? &addend : NULL, &y);
    return;
  }
  vector low = vector_broadcast(e.low), high = vector_broadcast(e.high);
  for (long c = 0; c < channels; c += width) {
    long lanes = channels - c < width ? channels - c : width;
    vector sum = vector_load(sums + c);
    if (addend) sum += vector_load_up_to(addend + c, lanes);
    vector_store_up_to(y + c, vector_clamp(sum, low, high), lanes);
  }
}

static void product(const prunec_product *given, long begin, long end) {
  const prunec_product flat = product_in_one_row(given), *a = &flat;
  const long panels = panel_count(a->out_channels, a->in_channels), stages = stage_count(a);
  if (product_is_of_single_pixels(a))
    for (; begin < end && product_has_pixel_panels(a, begin, end); begin += pixel_panels)
      product_compute_pixel(a, begin);
  if (begin == end) return;
  product_part part = product_part_at(a, begin, 0);
  while (begin < end) {
    // The panels of one block of pixels, whose inputs stay in the cache.
    long last = (begin / panels + 1) * panels;
    if (last > end) last = end;
    for (long index = 0; index < stages; index++) {
      for (long unit = begin; unit < last; unit++) {
        bool ends_stage = unit + 1 == last, ends_block = ends_stage && index + 1 == stages;
        long next_unit = ends_stage && !ends_block ? begin : unit + 1;
        long next_index = ends_block ? 0 : index + ends_stage;
        product_part next = {};
        if (next_unit < end) next = product_part_at(a, next_unit, next_index);
        product_compute(a, &part, next_unit < end ? &next : NULL);
        part = next;
      }
    }
    begin = last;
  }
}
