/// Normalisations, and the functions that turn elements into shares.
let normalizationOperators: [any Operator] =
  [
    BatchNormalization(),
    LRN(),
    LayerNormalization(),
    RMSNormalization(),
  ] + Softmax.all
