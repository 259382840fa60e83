/// Pooling over windows and over whole planes.
let poolingOperators: [any Operator] =
  [
    AveragePool(),
    LpPool(),
    MaxPool(),
    MaxUnpool(),
  ] + GlobalPooling.all
