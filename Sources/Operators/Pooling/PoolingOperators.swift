/// Pooling over windows and over whole planes.
let poolingOperators: [any Operator] =
  [
    AveragePool(),
    LpPool(),
    MaxPool(),
  ] + GlobalPooling.all
