/// Operators that read or write elements by indices that are data.
let indexingOperators: [any Operator] =
  [GatherElements(), GatherND(), ScatterND(), TensorScatter()] as [any Operator]
  + ScatterElements.all
