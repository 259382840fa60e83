/// Normalisations, and the functions that turn elements into shares.
let normalizationOperators: [any Operator] =
  [
    BatchNormalization(),
    GroupNormalization(),
    InstanceNormalization(),
    LRN(),
    LayerNormalization(),
    LpNormalization(),
    MeanVarianceNormalization(),
  ] + RMSNormalization.all + SkipNormalization.all + Softmax.all
