/// What products and depthwise convolutions do with their sums.

/// An addend and an activation.
typedef struct {
  prunec_activation activation;
  /// Whether there is an addend that is added to what the activation makes.
  bool adds_last;
  /// Whether the whole is an addition, if any, then holding the result between `low` and `high`.
  bool is_simple;
  float low, high;
} epilogue;

static epilogue epilogue_of(prunec_activation activation, bool adds, bool adds_last) {
  epilogue y = {.activation = activation, .low = -INFINITY, .high = INFINITY};
  y.adds_last = adds && adds_last && activation.function != prunec_identity;
  y.is_simple = !y.adds_last && (activation.function == prunec_identity ||
                                 activation.function == prunec_relu || activation.function == prunec_clip);
  if (activation.function == prunec_relu) y.low = 0;
  if (activation.function == prunec_clip) y.low = activation.alpha, y.high = activation.beta;
  return y;
}

/// y = the epilogue of the sums of some pixels. `sums` is used up; `addends` is null or points to the
/// pixels' addends, which may be in y.
static void epilogue_apply(
    const epilogue *e, long pixels, long channels, float *sums, long pitch, const float *const *addends,
    float *const *y) {
  for (long p = 0; addends && !e->adds_last && p < pixels; p++) {
    for (long c = 0; c < channels; c += width) {
      long lanes = channels - c < width ? channels - c : width;
      vector x = vector_load_partial(sums + p * pitch + c, lanes);
      vector_store_partial(sums + p * pitch + c, x + vector_load_partial(addends[p] + c, lanes), lanes);
    }
  }
  activate_rows(&e->activation, pixels, channels, sums, pitch, sums, pitch);
  for (long p = 0; p < pixels; p++) {
    for (long c = 0; c < channels; c += width) {
      long lanes = channels - c < width ? channels - c : width;
      vector x = vector_load_partial(sums + p * pitch + c, lanes);
      if (addends && e->adds_last) x += vector_load_partial(addends[p] + c, lanes);
      vector_store_partial(y[p] + c, x, lanes);
    }
  }
}
