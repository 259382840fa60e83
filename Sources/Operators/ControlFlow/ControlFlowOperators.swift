/// Operators that choose what is executed.
let controlFlowOperators: [any Operator] = [
  Merge()
]
