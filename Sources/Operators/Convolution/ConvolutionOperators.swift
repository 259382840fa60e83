/// Convolutions.
let convolutionOperators: [any Operator] = [
  Conv(),
  ConvTranspose(),
]
