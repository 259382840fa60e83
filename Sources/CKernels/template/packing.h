/// Weights in the order in which products read them.

static long packing_units(const prunec_packing *a) {
  return a->batch * a->groups * panel_count(a->out_channels, a->in_channels);
}

/// One vector of channels of one tap, whose neighbours lie anywhere: element `[c][o]` of y is
/// `w[o * output + c * input]`. `pitch` is from one c to the next.
static void pack_any(const prunec_packing *a, const float *w, long count, float *y, long pitch) {
  for (long c = 0; c < a->in_channels; c++) {
    for (long o = 0; o < width; o++)
      y[c * pitch + o] = o < count ? w[o * a->output + c * a->input] * a->scale : 0;
  }
}

/// The same where output channels are adjacent.
static void pack_adjacent_outputs(
    const prunec_packing *a, const float *w, long count, float *y, long pitch) {
  vector scale = vector_broadcast(a->scale);
  for (long c = 0; c < a->in_channels; c++) {
    vector_store(y + c * pitch, vector_load_up_to(w + c * a->input, count) * scale);
  }
}

/// The same where input channels are adjacent.
static void pack_adjacent_inputs(
    const prunec_packing *a, const float *w, long count, float *y, long pitch) {
  vector scale = vector_broadcast(a->scale);
  for (long c = 0; c < a->in_channels; c += width) {
    long columns = a->in_channels - c < width ? a->in_channels - c : width;
    vector rows[PRUNEC_WIDTH];
    if (count == width && columns == width) {
      for (long o = 0; o < width; o++) rows[o] = vector_load(w + o * a->output + c) * scale;
    } else {
      for (long o = 0; o < width; o++)
        rows[o] = o < count ? vector_load_partial(w + o * a->output + c, columns) * scale : (vector){};
    }
    vector_transpose(rows);
    for (long i = 0; i < columns; i++) vector_store(y + (c + i) * pitch, rows[i]);
  }
}

/// The vectors of one tap that hold several input channels.
static void pack_split(const prunec_packing *a, const float *w, panel panel, float *y) {
  for (long c = 0; c < a->in_channels; c += panel.split, y += width) {
    vector_store(y, (vector){});
    for (long part = 0; part < panel.split && c + part < a->in_channels; part++) {
      for (long o = 0; o < panel.channels; o++)
        y[o * panel.split + part] = w[o * a->output + (c + part) * a->input] * a->scale;
    }
  }
}

static void pack_panel(const prunec_packing *a, const float *w, panel panel, float *y) {
  long pitch = panel.vectors * width;
  for (long u = 0; u < a->kernel_height; u++) {
    for (long v = 0; v < a->kernel_width; v++) {
      const float *tap = w + panel.channel * a->output + u * a->kernel_row + v * a->kernel_column;
      if (panel.split > 1) {
        pack_split(a, tap, panel, y);
        y += divide_up(a->in_channels, panel.split) * width;
        continue;
      }
      for (long o = 0; o < panel.channels; o += width) {
        long count = panel.channels - o < width ? panel.channels - o : width;
        if (a->output == 1) {
          pack_adjacent_outputs(a, tap + o, count, y + o, pitch);
        } else if (a->input == 1 && a->in_channels >= width) {
          pack_adjacent_inputs(a, tap + o * a->output, count, y + o, pitch);
        } else {
          pack_any(a, tap + o * a->output, count, y + o, pitch);
        }
      }
      y += a->in_channels * pitch;
    }
  }
}

static void packing(const prunec_packing *a, long begin, long end) {
  long panels = panel_count(a->out_channels, a->in_channels), taps = a->kernel_height * a->kernel_width;
  long size = packed_size(a->out_channels, a->in_channels, taps);
  for (long unit = begin; unit < end; unit++) {
    long group = unit / panels % a->groups, batch = unit / panels / a->groups;
    panel panel = panel_at(unit % panels, a->out_channels, a->in_channels);
    float *packed = a->packed + (batch * a->groups + group) * size;
    const float *w = a->w + batch * a->w_batch + group * a->w_group;
    pack_panel(a, w, panel, packed + panel_offset(panel, a->in_channels, taps));
  }
}
