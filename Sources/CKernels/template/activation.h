/// The functions that kernels apply to their results.

/// One of the functions of `prunec_function`. Callers name it by a constant: the choice costs nothing.
static inline vector vector_activate(vector x, prunec_function function, vector alpha, vector beta) {
  vector zero = vector_broadcast(0), one = vector_broadcast(1);
  switch (function) {
  case prunec_identity: return x;
  case prunec_relu: return vector_maximum(zero, x);
  case prunec_clip: return vector_minimum(beta, vector_maximum(alpha, x));
  case prunec_leaky_relu: return vector_select(x < zero, alpha * x, x);
  case prunec_sigmoid: return vector_sigmoid(x);
  case prunec_silu: return x / (vector_exponential(-alpha * x) + one);
  case prunec_hard_sigmoid:
    return vector_maximum(zero, vector_minimum(one, vector_multiply_add(alpha, x, beta)));
  case prunec_hard_swish: {
    vector gate = vector_multiply_add(x, vector_broadcast(1.0f / 6), vector_broadcast(0.5f));
    return x * vector_maximum(zero, vector_minimum(one, gate));
  }
  case prunec_tanh: return vector_hyperbolic_tangent(x);
  case prunec_gelu: {
    vector half = x * 0.5f;
    return vector_multiply_add(half, vector_error_function_unbounded(x * 0.707106781f), half);
  }
  case prunec_gelu_tanh: {
    // (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)).
    vector slope = horner(vector_broadcast(-0.0713548163f), x * x, -1.59576912f);
    return x / (vector_exponential(x * slope) + one);
  }
  }
  return x;
}

/// How many vectors a function is applied to at once, if registers suffice: most functions are long chains of
/// operations.
enum { activation_vectors = vector_registers == 32 ? 2 : 1 };

static inline __attribute__((always_inline)) void activate_rows_by(
    prunec_function function, const prunec_activation *activation, long rows, long count,
    const float *x, long x_pitch, float *y, long y_pitch) {
  vector alpha = vector_broadcast(activation->alpha), beta = vector_broadcast(activation->beta);
  for (; rows > 0; rows--, x += x_pitch, y += y_pitch) {
    long i = 0;
    for (; i + activation_vectors * width <= count; i += activation_vectors * width) {
      vector values[activation_vectors];
      PRUNEC_UNROLL for (long n = 0; n < activation_vectors; n++)
        values[n] = vector_activate(vector_load(x + i + n * width), function, alpha, beta);
      PRUNEC_UNROLL for (long n = 0; n < activation_vectors; n++) vector_store(y + i + n * width, values[n]);
    }
    for (; i + width <= count; i += width)
      vector_store(y + i, vector_activate(vector_load(x + i), function, alpha, beta));
    if (i < count) {
      vector last = vector_load_partial(x + i, count - i);
      vector_store_partial(y + i, vector_activate(last, function, alpha, beta), count - i);
    }
  }
}

/// Applies a function to rows of `count` elements. y may be x.
static void activate_rows(const prunec_activation *activation, long rows, long count,
    const float *x, long x_pitch, float *y, long y_pitch) {
  switch (activation->function) {
#define CASE(FUNCTION) \
  case FUNCTION: \
    activate_rows_by(FUNCTION, activation, rows, count, x, x_pitch, y, y_pitch); \
    break;
  CASE(prunec_identity)
  CASE(prunec_relu)
  CASE(prunec_clip)
  CASE(prunec_leaky_relu)
  CASE(prunec_sigmoid)
  CASE(prunec_silu)
  CASE(prunec_hard_sigmoid)
  CASE(prunec_hard_swish)
  CASE(prunec_tanh)
  CASE(prunec_gelu)
  CASE(prunec_gelu_tanh)
#undef CASE
  }
}
