/// Operators that read or write elements by indices that are data, or find indices.
let indexingOperators: [any Operator] =
  [
    Compress(), GatherElements(), GatherND(), NonZero(), OneHot(), ReverseSequence(), ScatterND(),
    TensorScatter(), Unique(),
  ] as [any Operator] + ScatterElements.all
