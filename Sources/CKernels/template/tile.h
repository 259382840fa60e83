/// The innermost loops of products: sums of a few output pixels by a panel of output channels, in registers.
///
/// Each sum is a variable of its own, so that compilers keep it in a register; hence the macros.

typedef struct {
  /// The pixels of the first tap; those of the next tap `x_tap` pointers further, each at its tap's offset.
  const float *const *x;
  long x_tap;
  const long *offsets;  ///< `[taps]`
  long taps;
  long depth;            ///< how many elements of a pixel a tap takes
  const float *weights;  ///< the panel's, from the first tap on
  const float *bias;     ///< of all vectors
  const float *const *addend;  ///< `[pixels]`, or null
  float low, high;             ///< what the results are held between
  long last_channels;          ///< how many channels of the last vector exist
  float *const *y;             ///< `[pixels]`
  /// Weights of a later tile, which come into the cache meanwhile: for each k an address, so many bytes
  /// after the last.
  const char *ahead;
  long ahead_step;
} tile;

#define EACH_1(M) M(0)
#define EACH_2(M) EACH_1(M) M(1)
#define EACH_3(M) EACH_2(M) M(2)
#define EACH_4(M) EACH_3(M) M(3)
#define EACH_5(M) EACH_4(M) M(4)
#define EACH_6(M) EACH_5(M) M(5)
#define EACH_7(M) EACH_6(M) M(6)
#define EACH_8(M) EACH_7(M) M(7)
#define EACH_9(M) EACH_8(M) M(8)
#define EACH_10(M) EACH_9(M) M(9)
#define EACH_11(M) EACH_10(M) M(10)
#define EACH_12(M) EACH_11(M) M(11)

#define SUM_1(P) vector a##P##_0 = vector_load(t->bias);
#define SUM_2(P) SUM_1(P) vector a##P##_1 = vector_load(t->bias + width);
#define SUM_3(P) SUM_2(P) vector a##P##_2 = vector_load(t->bias + 2 * width);
#define SUM_4(P) SUM_3(P) vector a##P##_3 = vector_load(t->bias + 3 * width);

#define PIXEL(P) const float *x##P = x[P];

#define WEIGHT_1 vector w0 = vector_load(w);
#define WEIGHT_2 WEIGHT_1 vector w1 = vector_load(w + width);
#define WEIGHT_3 WEIGHT_2 vector w2 = vector_load(w + 2 * width);
#define WEIGHT_4 WEIGHT_3 vector w3 = vector_load(w + 3 * width);

#define ADD_1(P) a##P##_0 = vector_multiply_add(b, w0, a##P##_0);
#define ADD_2(P) ADD_1(P) a##P##_1 = vector_multiply_add(b, w1, a##P##_1);
#define ADD_3(P) ADD_2(P) a##P##_2 = vector_multiply_add(b, w2, a##P##_2);
#define ADD_4(P) ADD_3(P) a##P##_3 = vector_multiply_add(b, w3, a##P##_3);
#define PRODUCT_1(P) { vector b = vector_broadcast(x##P[k]); ADD_1(P) }
#define PRODUCT_2(P) { vector b = vector_broadcast(x##P[k]); ADD_2(P) }
#define PRODUCT_3(P) { vector b = vector_broadcast(x##P[k]); ADD_3(P) }
#define PRODUCT_4(P) { vector b = vector_broadcast(x##P[k]); ADD_4(P) }

/// What a tile does with its sums in the end.
typedef struct {
  vector low, high;
  long last_channels;
} tile_end;

static inline tile_end tile_end_of(const tile *t) {
  return (tile_end){
    .low = vector_broadcast(t->low), .high = vector_broadcast(t->high), .last_channels = t->last_channels};
}

static inline void tile_store_whole(const tile *t, tile_end e, long pixel, long channel, vector sum) {
  if (t->addend) sum += vector_load(t->addend[pixel] + channel);
  vector_store(t->y[pixel] + channel, vector_clamp(sum, e.low, e.high));
}

static inline void tile_store_last(const tile *t, tile_end e, long pixel, long channel, vector sum) {
  if (e.last_channels == width) {
    tile_store_whole(t, e, pixel, channel, sum);
  } else {
    if (t->addend) sum += vector_load_partial(t->addend[pixel] + channel, e.last_channels);
    vector_store_partial(t->y[pixel] + channel, vector_clamp(sum, e.low, e.high), e.last_channels);
  }
}

#define STORE_WHOLE(P, V) tile_store_whole(t, e, P, V * width, a##P##_##V);
#define STORE_1(P) tile_store_last(t, e, P, 0, a##P##_0);
#define STORE_2(P) STORE_WHOLE(P, 0) tile_store_last(t, e, P, width, a##P##_1);
#define STORE_3(P) STORE_WHOLE(P, 0) STORE_WHOLE(P, 1) tile_store_last(t, e, P, 2 * width, a##P##_2);
#define STORE_4(P) \
  STORE_WHOLE(P, 0) STORE_WHOLE(P, 1) STORE_WHOLE(P, 2) tile_store_last(t, e, P, 3 * width, a##P##_3);

/// A tile of V vectors by P pixels.
#define TILE(V, P) \
  static void tile_##V##_##P(const tile *t) { \
    EACH_##P(SUM_##V) \
    const float *const *x = t->x; \
    const float *w = t->weights; \
    const char *ahead = t->ahead; \
    const long ahead_step = t->ahead_step; \
    for (long tap = 0, taps = t->taps; tap < taps; tap++, x += t->x_tap) { \
      EACH_##P(PIXEL) \
      long k = t->offsets[tap], end = k + t->depth; \
      for (; k < end; k++, w += V * width, ahead += ahead_step) { \
        __builtin_prefetch(ahead, 0, 2); \
        WEIGHT_##V \
        EACH_##P(PRODUCT_##V) \
      } \
    } \
    tile_end e = tile_end_of(t); \
    EACH_##P(STORE_##V) \
  }

static inline void tile_store_split(const tile *t, tile_end e, long split, long pixel, vector sum) {
  sum = vector_sum_pairs(sum);
  if (split == 4) sum = vector_sum_pairs(sum);
  tile_store_last(t, e, pixel, 0, sum + vector_load(t->bias));
}

#define ZERO(P) vector a##P = {};
#define PRODUCT_SPLIT_2(P) a##P = vector_multiply_add(vector_broadcast_2(x##P + k), w0, a##P);
#define PRODUCT_SPLIT_4(P) a##P = vector_multiply_add(vector_broadcast_4(x##P + k), w0, a##P);
#define REST_SPLIT_2(P) a##P = vector_multiply_add(vector_broadcast_partial(x##P + k, 1, 2), w0, a##P);
#define REST_SPLIT_4(P) a##P = vector_multiply_add(vector_broadcast_partial(x##P + k, end - k, 4), w0, a##P);
#define STORE_SPLIT_2(P) tile_store_split(t, e, 2, P, a##P);
#define STORE_SPLIT_4(P) tile_store_split(t, e, 4, P, a##P);

/// A tile of one vector that holds S input channels, by P pixels.
#define TILE_SPLIT(S, P) \
  static void tile_split_##S##_##P(const tile *t) { \
    EACH_##P(ZERO) \
    const float *const *x = t->x; \
    const float *w = t->weights; \
    for (long tap = 0, taps = t->taps; tap < taps; tap++, x += t->x_tap) { \
      EACH_##P(PIXEL) \
      long k = t->offsets[tap], end = k + t->depth; \
      for (; k + S <= end; k += S, w += width) { \
        WEIGHT_1 \
        EACH_##P(PRODUCT_SPLIT_##S) \
      } \
      if (k < end) { \
        WEIGHT_1 \
        EACH_##P(REST_SPLIT_##S) \
        w += width; \
      } \
    } \
    tile_end e = tile_end_of(t); \
    EACH_##P(STORE_SPLIT_##S) \
  }

#define TILES_UP_TO_4(T, N) T(N, 1) T(N, 2) T(N, 3) T(N, 4)
#define TILES_UP_TO_6(T, N) TILES_UP_TO_4(T, N) T(N, 5) T(N, 6)
#define TILES_UP_TO_8(T, N) TILES_UP_TO_6(T, N) T(N, 7) T(N, 8)
#define TILES_UP_TO_12(T, N) TILES_UP_TO_8(T, N) T(N, 9) T(N, 10) T(N, 11) T(N, 12)

/// Every tile, and a table of them by the number of pixels.
#define TILE_ENTRY(V, P) tile_##V##_##P,
#define TILE_SPLIT_ENTRY(S, P) tile_split_##S##_##P,

typedef void tile_function(const tile *);

#if defined PRUNEC_AVX512 || defined __aarch64__
#define TILES_1 TILES_UP_TO_12
#define TILES_2 TILES_UP_TO_12
#define TILES_3 TILES_UP_TO_8
#define TILES_4 TILES_UP_TO_6
TILES_3(TILE, 3)
TILES_4(TILE, 4)
static tile_function *const tiles_3[] = {TILES_3(TILE_ENTRY, 3)};
static tile_function *const tiles_4[] = {TILES_4(TILE_ENTRY, 4)};
#else
#define TILES_1 TILES_UP_TO_12
#define TILES_2 TILES_UP_TO_6
#endif

TILES_1(TILE, 1)
TILES_2(TILE, 2)
TILES_1(TILE_SPLIT, 2)
TILES_1(TILE_SPLIT, 4)

static tile_function *const tiles_1[] = {TILES_1(TILE_ENTRY, 1)};
static tile_function *const tiles_2[] = {TILES_2(TILE_ENTRY, 2)};
static tile_function *const tiles_split_2[] = {TILES_1(TILE_SPLIT_ENTRY, 2)};
static tile_function *const tiles_split_4[] = {TILES_1(TILE_SPLIT_ENTRY, 4)};

/// The tiles of one to `pixels` pixels for a kind of panel.
typedef struct {
  tile_function *const *by_pixels;
  long pixels;
} tile_family;

static tile_family tiles_for(panel panel) {
#define FAMILY(TILES) (tile_family){TILES, sizeof TILES / sizeof *TILES}
  if (panel.split == 4) return FAMILY(tiles_split_4);
  if (panel.split == 2) return FAMILY(tiles_split_2);
  if (panel.vectors == 1) return FAMILY(tiles_1);
#if defined PRUNEC_AVX512 || defined __aarch64__
  if (panel.vectors == 3) return FAMILY(tiles_3);
  if (panel.vectors == 4) return FAMILY(tiles_4);
#endif
  return FAMILY(tiles_2);
#undef FAMILY
}
