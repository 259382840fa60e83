/// Attention as one operator, and what goes with it.
let attentionOperators: [any Operator] = [
  Attention(),
  GroupQueryAttention(), MultiHeadAttention(),
  RuntimeAttention(),
  RotaryEmbedding(), RuntimeRotaryEmbedding(),
]
