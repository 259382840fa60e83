/// How packed weights lie in memory.
///
/// The output channels of a group are cut into panels of a few vectors, as many as the registers of a tile
/// hold. A panel's weights follow each other in the order in which a tile reads them: `[u][v][c][lane]`.
///
/// Where few channels are left over, so few that half or three quarters of a vector would stay empty, they
/// make a panel of their own whose vectors hold several input channels: lane `o * split + c % split` of
/// vector `c / split` belongs to output channel o and input channel c. What is missing is zero.

/// A panel's part of the output channels.
typedef struct {
  long channel;   ///< the first one
  long channels;  ///< how many
  long vectors;
  long split;  ///< how many input channels a vector holds
} panel;

/// The most vectors in a panel. The sums of a tile, a panel's weights and one pixel's value are to stay in
/// registers: 32 of them, or 16. (Of those, tiles of 3 by 4 would take every one, and compilers spill.)
#if defined PRUNEC_AVX512 || defined __aarch64__
enum { panel_vectors = 4 };
#else
enum { panel_vectors = 2 };
#endif

static inline long divide_up(long a, long b) {
  return (a + b - 1) / b;
}

/// How many input channels share a vector in the last panel; 1 where the last panel is like the others, as it is
/// where many vectors make one of them cheap: equal channels of a wide layer then have equal sums.
static inline long split_of_rest(long out_channels, long in_channels) {
  long rest = out_channels % width;
  if (out_channels > 16 * width) return 1;
  long split = rest == 0 || rest > width / 2 ? 1 : rest > width / 4 ? 2 : 4;
  while (split > in_channels) split /= 2;
  return split;
}

static inline long whole_panels(long vectors) {
  return divide_up(vectors, panel_vectors);
}

static inline long whole_vectors(long out_channels, long split) {
  return split > 1 ? out_channels / width : divide_up(out_channels, width);
}

static inline long panel_count(long out_channels, long in_channels) {
  long split = split_of_rest(out_channels, in_channels);
  return whole_panels(whole_vectors(out_channels, split)) + (split > 1);
}

static inline panel panel_at(long index, long out_channels, long in_channels) {
  long split = split_of_rest(out_channels, in_channels);
  long vectors = whole_vectors(out_channels, split), panels = whole_panels(vectors);
  if (index == panels)
    return (panel){
      .channel = vectors * width, .channels = out_channels % width, .vectors = 1, .split = split};
  long first = vectors * index / panels, last = vectors * (index + 1) / panels;
  long end = last * width < out_channels ? last * width : out_channels;
  return (panel){
    .channel = first * width, .channels = end - first * width, .vectors = last - first, .split = 1};
}

/// Where a panel begins in the packed weights.
static inline long panel_offset(panel panel, long in_channels, long taps) {
  return panel.channel * in_channels * taps;
}

static long packed_size(long out_channels, long in_channels, long taps) {
  long split = split_of_rest(out_channels, in_channels);
  long whole = whole_vectors(out_channels, split) * in_channels;
  return (whole + (split > 1 ? divide_up(in_channels, split) : 0)) * taps * width;
}
