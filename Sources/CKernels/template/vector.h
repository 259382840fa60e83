/// Vectors of float32: what the templates are written in.
///
/// A variant defines `PRUNEC_WIDTH`, the number of lanes, and `PRUNEC_AVX512` or `PRUNEC_AVX2` where it may
/// use those instructions. Everything else is the compilers' own vector arithmetic: `+ - * /` and comparisons
/// work on vectors, and a comparison's lanes are all ones or all zeros. A cast between `vector` and
/// `integers` keeps the bits.

typedef float vector __attribute__((vector_size(4 * PRUNEC_WIDTH)));
typedef int32_t integers __attribute__((vector_size(4 * PRUNEC_WIDTH)));
/// Integers whose arithmetic wraps around.
typedef uint32_t naturals __attribute__((vector_size(4 * PRUNEC_WIDTH)));
typedef float unaligned_vector __attribute__((vector_size(4 * PRUNEC_WIDTH), aligned(4)));

enum {
  width = PRUNEC_WIDTH,
#if defined PRUNEC_AVX512 || defined __aarch64__
  vector_registers = 32,
#else
  vector_registers = 16,
#endif
};

/// Before a loop of a constant number of rounds: so that arrays that it walks over stay in registers.
#if defined __clang__
#define PRUNEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PRUNEC_UNROLL _Pragma("GCC unroll 32")
#endif

static inline vector vector_broadcast(float x) {
  return x - (vector){};
}

static inline integers integers_broadcast(int32_t x) {
  return x - (integers){};
}

static inline vector vector_load(const float *x) {
  return *(const unaligned_vector *)x;
}

static inline void vector_store(float *y, vector x) {
  *(unaligned_vector *)y = x;
}

/// x[0] and x[1], again and again.
static inline vector vector_broadcast_2(const float *x) {
#if defined PRUNEC_AVX512 || defined PRUNEC_AVX2
  double pair;
  memcpy(&pair, x, sizeof pair);
#if defined PRUNEC_AVX512
  return (vector)_mm512_set1_pd(pair);
#else
  return (vector)_mm256_set1_pd(pair);
#endif
#else
  return (vector){x[0], x[1], x[0], x[1]};
#endif
}

/// x[0] to x[3], again and again.
static inline vector vector_broadcast_4(const float *x) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_broadcast_f32x4(_mm_loadu_ps(x));
#elif defined PRUNEC_AVX2
  return (vector)_mm256_broadcast_ps((const __m128 *)x);
#else
  return vector_load(x);
#endif
}

/// The first `count` elements, then zeros: `repeat` of them, which is 2 or 4, again and again.
static inline vector vector_broadcast_partial(const float *x, long count, long repeat) {
#if defined PRUNEC_AVX512
  __m128 y = _mm_maskz_loadu_ps((__mmask8)_bzhi_u32(~0u, (uint32_t)count), x);
  return repeat == 2 ? (vector)_mm512_broadcastsd_pd((__m128d)y) : (vector)_mm512_broadcast_f32x4(y);
#elif defined PRUNEC_AVX2
  __m128i lanes = _mm_cmpgt_epi32(_mm_set1_epi32((int32_t)count), _mm_setr_epi32(0, 1, 2, 3));
  __m128 y = _mm_maskload_ps(x, lanes);
  return repeat == 2 ? (vector)_mm256_broadcastsd_pd((__m128d)y) : (vector)_mm256_set_m128(y, y);
#else
  float y[4] = {x[0], count > 1 ? x[1] : 0, count > 2 ? x[2] : 0};
  return repeat == 2 ? (vector){y[0], y[1], y[0], y[1]} : (vector){y[0], y[1], y[2], y[3]};
#endif
}

#if defined PRUNEC_AVX2 && !defined PRUNEC_AVX512
/// The lanes before `count` are all ones.
static inline __m256i vector_lanes_before(long count) {
  static const int32_t lanes[2 * width] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256((const __m256i *)(lanes + width - count));
}
#endif

/// The first `count` elements, which are 0 to `width`, then zeros. Nothing behind them is read.
static inline vector vector_load_partial(const float *x, long count) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_maskz_loadu_ps((__mmask16)_bzhi_u32(~0u, (uint32_t)count), x);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_maskload_ps(x, vector_lanes_before(count));
#else
  vector y = {};
  for (long lane = 0; lane < width; lane++)
    if (lane < count) y[lane] = x[lane];
  return y;
#endif
}

/// Stores the first `count` lanes, which are 0 to `width`. Nothing behind them is written.
static inline void vector_store_partial(float *y, vector x, long count) {
#if defined PRUNEC_AVX512
  _mm512_mask_storeu_ps(y, (__mmask16)_bzhi_u32(~0u, (uint32_t)count), (__m512)x);
#elif defined PRUNEC_AVX2
  _mm256_maskstore_ps(y, vector_lanes_before(count), (__m256)x);
#else
  for (long lane = 0; lane < width; lane++)
    if (lane < count) y[lane] = x[lane];
#endif
}

/// The first `count` elements, then zeros: a constant `width` costs nothing.
static inline vector vector_load_up_to(const float *x, long count) {
  return count == width ? vector_load(x) : vector_load_partial(x, count);
}

/// Stores the first `count` lanes: a constant `width` costs nothing.
static inline void vector_store_up_to(float *y, vector x, long count) {
  if (count == width) {
    vector_store(y, x);
  } else {
    vector_store_partial(y, x, count);
  }
}

/// a b + c, rounded once where the processor can.
static inline vector vector_multiply_add(vector a, vector b, vector c) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined __aarch64__
  return (vector)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

/// The lanes of a where the mask's are ones, the lanes of b where they are zeros.
static inline vector vector_select(integers mask, vector a, vector b) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), (__m512)b, (__m512)a);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#else
  return (vector)((mask & (integers)a) | (~mask & (integers)b));
#endif
}

/// The smaller one; b where one of the two is not a number.
static inline vector vector_minimum(vector a, vector b) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined __SSE2__
  return (vector)_mm_min_ps((__m128)a, (__m128)b);
#else
  return vector_select(a < b, a, b);
#endif
}

/// The larger one; b where one of the two is not a number.
static inline vector vector_maximum(vector a, vector b) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined __SSE2__
  return (vector)_mm_max_ps((__m128)a, (__m128)b);
#else
  return vector_select(a > b, a, b);
#endif
}

/// x, or the limit that it lies beyond; x where it is not a number.
static inline vector vector_clamp(vector x, vector low, vector high) {
  return vector_minimum(high, vector_maximum(low, x));
}

static inline vector vector_absolute(vector x) {
  return (vector)((integers)x & integers_broadcast(0x7fffffff));
}

/// The magnitude of one, the sign of the other.
static inline vector vector_with_sign(vector magnitude, vector sign) {
  integers bit = integers_broadcast(INT32_MIN);
  return (vector)(((integers)magnitude & ~bit) | ((integers)sign & bit));
}

static inline vector vector_square_root(vector x) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_sqrt_ps((__m512)x);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_sqrt_ps((__m256)x);
#elif defined __SSE2__
  return (vector)_mm_sqrt_ps((__m128)x);
#elif defined __aarch64__
  return (vector)vsqrtq_f32((float32x4_t)x);
#else
  for (long lane = 0; lane < width; lane++) x[lane] = sqrtf(x[lane]);
  return x;
#endif
}

/// The nearest integer, of two the even one.
static inline vector vector_round(vector x) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined __aarch64__
  return (vector)vrndnq_f32((float32x4_t)x);
#else
  // From 2^23 on every number is an integer; adding 2^23 to a smaller one rounds it to an integer.
  vector limit = vector_broadcast(8388608), magnitude = vector_absolute(x);
  vector rounded = vector_with_sign((magnitude + limit) - limit, x);
  return vector_select(magnitude < limit, rounded, x);
#endif
}

static inline vector vector_floor(vector x) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#elif defined PRUNEC_AVX2
  return (vector)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#elif defined __aarch64__
  return (vector)vrndmq_f32((float32x4_t)x);
#else
  vector rounded = vector_round(x);
  vector lower = vector_select(rounded > x, rounded - vector_broadcast(1), rounded);
  return vector_with_sign(lower, x);
#endif
}

static inline vector vector_ceiling(vector x) {
  return -vector_floor(-x);
}

/// The nearest integers, of two the even one; any numbers where they do not fit.
static inline integers vector_to_integers(vector x) {
#if defined PRUNEC_AVX512
  return (integers)_mm512_cvtps_epi32((__m512)x);
#elif defined PRUNEC_AVX2
  return (integers)_mm256_cvtps_epi32((__m256)x);
#elif defined __SSE2__
  return (integers)_mm_cvtps_epi32((__m128)x);
#elif defined __aarch64__
  return (integers)vcvtnq_s32_f32((float32x4_t)x);
#else
  x = vector_select(vector_absolute(x) < vector_broadcast(2147483648.0f), vector_round(x), (vector){});
  return __builtin_convertvector(x, integers);
#endif
}

static inline vector integers_to_vector(integers x) {
  return __builtin_convertvector(x, vector);
}

/// What is before the point; the nearest integer of those that do not fit, and 0 for NaN.
static inline integers vector_truncate_to_integers(vector x) {
  vector limit = vector_broadcast(2147483648.0f);
  vector fitting = vector_select(vector_absolute(x) < limit, x, (vector){});
  vector y = (vector)__builtin_convertvector(fitting, integers);
  y = vector_select(x >= limit, (vector)integers_broadcast(INT32_MAX), y);
  return (integers)vector_select(x <= -limit, (vector)integers_broadcast(INT32_MIN), y);
}

/// The nearest number from `least` to `most`; `least` for NaN.
static inline vector vector_saturate(vector x, float least, float most) {
  vector low = vector_broadcast(least), high = vector_broadcast(most);
  x = vector_select(x > low, x, low);
  return vector_select(x < high, x, high);
}

typedef int8_t signed_bytes __attribute__((vector_size(PRUNEC_WIDTH)));
typedef uint8_t unsigned_bytes __attribute__((vector_size(PRUNEC_WIDTH)));

static inline vector vector_load_int8(const int8_t *x) {
  signed_bytes bytes;
  memcpy(&bytes, x, sizeof bytes);
  return __builtin_convertvector(bytes, vector);
}

static inline vector vector_load_uint8(const uint8_t *x) {
  unsigned_bytes bytes;
  memcpy(&bytes, x, sizeof bytes);
  return __builtin_convertvector(bytes, vector);
}

/// Stores whole numbers that fit.
static inline void vector_store_int8(int8_t *y, vector x) {
  signed_bytes bytes = __builtin_convertvector(vector_to_integers(x), signed_bytes);
  memcpy(y, &bytes, sizeof bytes);
}

static inline void vector_store_uint8(uint8_t *y, vector x) {
  unsigned_bytes bytes = __builtin_convertvector(vector_to_integers(x), unsigned_bytes);
  memcpy(y, &bytes, sizeof bytes);
}

static inline bool integers_any(integers mask) {
#if defined PRUNEC_AVX512
  return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif defined PRUNEC_AVX2
  return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined __SSE2__
  return _mm_movemask_ps((__m128)mask) != 0;
#else
  int32_t any = 0;
  for (long lane = 0; lane < width; lane++) any |= mask[lane];
  return any != 0;
#endif
}

#if defined PRUNEC_AVX2 && !defined PRUNEC_AVX512
/// The lanes of both halves, combined.
#define PRUNEC_REDUCE(OPERATION, X) \
  __m128 y = OPERATION(_mm256_castps256_ps128((__m256)X), _mm256_extractf128_ps((__m256)X, 1)); \
  y = OPERATION(y, _mm_movehl_ps(y, y)); \
  return _mm_cvtss_f32(OPERATION(y, _mm_movehdup_ps(y)));
#endif

/// The sum of all lanes.
static inline float vector_sum(vector x) {
#if defined PRUNEC_AVX512
  return _mm512_reduce_add_ps((__m512)x);
#elif defined PRUNEC_AVX2
  PRUNEC_REDUCE(_mm_add_ps, x)
#else
  return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}

/// The largest lane; lanes that are not numbers may get lost.
static inline float vector_largest(vector x) {
#if defined PRUNEC_AVX512
  return _mm512_reduce_max_ps((__m512)x);
#elif defined PRUNEC_AVX2
  __m128 y = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
#else
  float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
#endif
}

/// The smallest lane; lanes that are not numbers may get lost.
static inline float vector_smallest(vector x) {
  return -vector_largest(-x);
}

/// In lane i the sum of lanes 2 i and 2 i + 1, for the first half of the lanes.
static inline vector vector_sum_pairs(vector x) {
#if PRUNEC_WIDTH == 16
  return __builtin_shufflevector(x, x, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14) +
         __builtin_shufflevector(x, x, 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15);
#elif PRUNEC_WIDTH == 8
  return __builtin_shufflevector(x, x, 0, 2, 4, 6, 0, 2, 4, 6) +
         __builtin_shufflevector(x, x, 1, 3, 5, 7, 1, 3, 5, 7);
#else
  return __builtin_shufflevector(x, x, 0, 2, 0, 2) + __builtin_shufflevector(x, x, 1, 3, 1, 3);
#endif
}

/// The lower halves of a and b, or with `upper` the upper halves: a0, b0, a1, b1 and so on.
static inline vector vector_interleave(vector a, vector b, bool upper) {
#if PRUNEC_WIDTH == 16
  vector low =
      __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  vector high =
      __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif PRUNEC_WIDTH == 8
  vector low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  vector high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  vector low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  vector high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
  return upper ? high : low;
}

/// Makes columns of `width` rows. Each round pairs the rows of one half with those of the other.
static inline void vector_transpose(vector rows[PRUNEC_WIDTH]) {
  for (long round = 1; round < width; round *= 2) {
    vector y[PRUNEC_WIDTH];
    for (long i = 0; i < width / 2; i++) {
      y[2 * i] = vector_interleave(rows[i], rows[i + width / 2], false);
      y[2 * i + 1] = vector_interleave(rows[i], rows[i + width / 2], true);
    }
    for (long i = 0; i < width; i++) rows[i] = y[i];
  }
}
