/// Operators that compute elements between those of their operand.
let resamplingOperators: [any Operator] = [
  Resize(), Upsample(),
]
