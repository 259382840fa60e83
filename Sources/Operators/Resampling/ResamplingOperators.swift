/// Operators that compute elements between those of their operand.
let resamplingOperators: [any Operator] = [
  AffineGrid(), GridSample(), Resize(), Upsample(),
]
