/// Convolutions, and what goes with them.
let convolutionOperators: [any Operator] = [
  Col2Im(),
  Conv(),
  ConvTranspose(),
  FusedConv(),
]
