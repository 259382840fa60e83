/// Functions of one variable over vectors.
///
/// Polynomials and rational functions are minimax fits of the relative error, their coefficients rounded to
/// float32 one after the other. The errors stated are the largest found against the C library in double
/// precision on processors with fused multiply-add, in units of the last place (ulp) or absolute. What is not
/// a number stays so, infinities give the limits.

/// sum * x + coefficient: one step of Horner's rule.
static inline vector horner(vector sum, vector x, float coefficient) {
  return vector_multiply_add(sum, x, vector_broadcast(coefficient));
}

/// Applies a function of the C library to each lane.
static inline vector vector_map(float (*function)(float), vector x) {
  for (long lane = 0; lane < width; lane++) x[lane] = function(x[lane]);
  return x;
}

/// 1.5 * 2^23: the last place of numbers near it is one.
static const float last_place_one = 12582912;

/// Integers up to 2^21 in magnitude, and each added to `last_place_one`, in whose lowest bits it can be read.
typedef struct {
  vector number, shifted;
} rounded;

/// The integer nearest to a b.
static inline rounded round_product(vector a, float b) {
  vector shifted = vector_multiply_add(a, vector_broadcast(b), vector_broadcast(last_place_one));
  return (rounded){shifted - last_place_one, shifted};
}

static inline integers rounded_integers(rounded n) {
  return (integers)n.shifted - (integers)vector_broadcast(last_place_one);
}

/// x 2^n for n of -252 to 254.
static inline vector scale_by_power(vector x, rounded n) {
#if defined PRUNEC_AVX512
  return (vector)_mm512_scalef_ps((__m512)x, (__m512)n.number);
#else
  // Two factors, since 2^n itself may be out of range where the result is not.
  integers whole = rounded_integers(n), half = whole >> 1;
  vector first = (vector)((half + 127) << 23), second = (vector)((whole - half + 127) << 23);
  return x * first * second;
#endif
}

/// x = n log 2 + r, |r| <= log(2) / 2, and r^2 / 2 + r^3 / 6 + ... = r^2 sum.
typedef struct {
  rounded n;
  vector r, sum;
} split_exponential;

static inline split_exponential exponential_parts(vector x) {
  rounded n = round_product(x, 1.44269504f);
  // The first part of log 2 has few digits, so that its product with n is exact.
  vector r = vector_multiply_add(n.number, vector_broadcast(-0.693359375f), x);
  r = vector_multiply_add(n.number, vector_broadcast(2.12194440e-4f), r);
  vector sum = vector_broadcast(0.00138209993f);
  sum = horner(sum, r, 0.00836867094f);
  sum = horner(sum, r, 0.0416682623f);
  sum = horner(sum, r, 0.166665211f);
  sum = horner(sum, r, 0.49999994f);
  return (split_exponential){n, r, sum};
}

/// exp(x). 0.9 ulp; 1.1 without fused multiply-add.
static inline vector vector_exponential(vector x) {
  x = vector_minimum(vector_broadcast(89), vector_maximum(vector_broadcast(-104), x));
  split_exponential parts = exponential_parts(x);
  return scale_by_power(horner(horner(parts.sum, parts.r, 1), parts.r, 1), parts.n);
}

/// exp(x) - 1 for x <= 88, without cancellation. 1.4 ulp.
static inline vector vector_exponential_minus_one(vector x) {
  split_exponential parts = exponential_parts(vector_maximum(vector_broadcast(-64), x));
  vector minus_one = vector_multiply_add(parts.r * parts.r, parts.sum, parts.r);
  vector power = (vector)((rounded_integers(parts.n) + 127) << 23);
  return vector_multiply_add(minus_one, power, power - 1.0f);
}

/// The natural logarithm. 0.8 ulp.
static inline vector vector_logarithm(vector x) {
  integers is_small = x < 1.17549435e-38f;
  vector normal = vector_select(is_small, x * 8388608.0f, x);
  // x = 2^n (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
  // Without the sign, which would take the difference out of range; logarithms of what has one are NaN anyway.
  integers bits = (integers)normal & 0x7fffffff;
  integers n = (bits - 0x3f3504f3) >> 23;
  vector f = (vector)(bits - (n << 23)) - 1.0f;
  vector count = integers_to_vector(n) + (vector)(is_small & (integers)vector_broadcast(-23));
  vector sum = vector_broadcast(0.067495279f);
  sum = horner(sum, f, -0.116701752f);
  sum = horner(sum, f, 0.118834719f);
  sum = horner(sum, f, -0.124062091f);
  sum = horner(sum, f, 0.142203629f);
  sum = horner(sum, f, -0.166679904f);
  sum = horner(sum, f, 0.200020716f);
  sum = horner(sum, f, -0.250000089f);
  sum = horner(sum, f, 0.333333135f);
  vector square = f * f;
  vector low = vector_multiply_add(sum * f, square, count * -2.12194440e-4f);
  low = vector_multiply_add(square, vector_broadcast(-0.5f), low);
  vector y = vector_multiply_add(count, vector_broadcast(0.693359375f), f + low);
  y = vector_select(x < INFINITY, y, x);
  y = vector_select(x < 0.0f, vector_broadcast(NAN), y);
  return vector_select(x == 0.0f, vector_broadcast(-INFINITY), y);
}

/// log(1 + exp(x)). 2.8 ulp.
static inline vector vector_softplus(vector x) {
  // log(1 + z) = 2 artanh(z / (2 + z)) with z = exp(-|x|) <= 1.
  vector z = vector_exponential(-vector_absolute(x));
  vector s = z / (z + 2.0f), square = s * s;
  vector sum = vector_broadcast(0.121222548f);
  sum = horner(sum, square, 0.107220106f);
  sum = horner(sum, square, 0.143076032f);
  sum = horner(sum, square, 0.199994743f);
  sum = horner(sum, square, 0.333333373f);
  vector twice = s + s;
  vector logarithm = vector_multiply_add(twice * square, sum, twice);
  return vector_maximum(vector_broadcast(0), x) + logarithm;
}

/// 1 / (1 + exp(-x)). 2.5 ulp; zero below -88.73, where no normal number is left.
static inline vector vector_sigmoid(vector x) {
  return vector_broadcast(1) / (vector_exponential(-x) + 1.0f);
}

/// The hyperbolic tangent. 2.6 ulp, never beyond 1.
static inline vector vector_hyperbolic_tangent(vector x) {
  // With e = exp(2 |x|) - 1, tanh |x| = e / (e + 2). From 10 on it is 1.
  vector magnitude = vector_minimum(vector_broadcast(10), vector_absolute(x));
  vector e = vector_exponential_minus_one(magnitude + magnitude);
  return vector_with_sign(e / (e + 2.0f), x);
}

/// c0 + c1 x + ... + c5 x^5. The constant comes in last, so that small x cost one rounding.
static inline vector quintic(
    vector x, vector square, float c0, float c1, float c2, float c3, float c4, float c5) {
  vector low = horner(vector_broadcast(c2), x, c1), high = horner(vector_broadcast(c4), x, c3);
  high = vector_multiply_add(vector_broadcast(c5), square, high);
  return horner(vector_multiply_add(high, square, low), x, c0);
}

/// The error function, but possibly an ulp above 1.
static inline vector vector_error_function_unbounded(vector x) {
  // From here on the result is 1, exactly so at this number.
  x = vector_minimum(vector_broadcast(3.92388678f), vector_maximum(vector_broadcast(-3.92388678f), x));
  vector t = x * x, square = t * t;
  vector above = quintic(t, square, 2.13833284f, 0.358438492f, 0.0996779054f, 0.00704148365f,
      5.39175584e-4f, 3.92312677e-6f);
  vector below = quintic(t, square, 1.89504814f, 0.949339867f, 0.215283379f, 0.0281781964f,
      0.00218272209f, 7.25419886e-5f);
  return x * above / below;
}

/// The error function. 5.2 ulp, 3.1e-7.
static inline vector vector_error_function(vector x) {
  vector y = vector_error_function_unbounded(x);
  return vector_minimum(vector_broadcast(1), vector_maximum(vector_broadcast(-1), y));
}

/// sin(x + quarters pi / 2) for |x| <= 8192.
static inline vector vector_sine_within(vector x, int32_t quarters) {
  integers n = vector_to_integers(x * 0.636619772f);
  vector count = integers_to_vector(n);
  // The first parts of pi / 2 have few digits, so that their products with n are exact.
  vector r = vector_multiply_add(count, vector_broadcast(-1.5703125f), x);
  r = vector_multiply_add(count, vector_broadcast(-4.837512969970703e-4f), r);
  r = vector_multiply_add(count, vector_broadcast(-7.549789954e-8f), r);
  vector square = r * r;
  vector sine = vector_broadcast(-0.00019518286f);
  sine = horner(sine, square, 0.00833218917f);
  sine = horner(sine, square, -0.166666552f);
  sine = vector_multiply_add(sine * square, r, r);
  vector cosine = vector_broadcast(2.44325638e-5f);
  cosine = horner(cosine, square, -0.00138873106f);
  cosine = horner(cosine, square, 0.0416666456f);
  cosine = horner(cosine, square, -0.5f);
  cosine = horner(cosine, square, 1);
  n += quarters;
  vector y = vector_select((n & 1) == 0, sine, cosine);
  return (vector)((integers)y ^ ((n & 2) << 30));
}

/// The sine. 1e-7; relative errors grow where it is near zero, far out.
static inline vector vector_sine(vector x) {
  if (integers_any(vector_absolute(x) > 8192.0f)) return vector_map(sinf, x);
  return vector_sine_within(x, 0);
}

/// The cosine. 1e-7; relative errors grow where it is near zero, far out.
static inline vector vector_cosine(vector x) {
  if (integers_any(vector_absolute(x) > 8192.0f)) return vector_map(cosf, x);
  return vector_sine_within(x, 1);
}
