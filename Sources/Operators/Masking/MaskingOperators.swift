/// prunec's own operators.
let maskingOperators: [any Operator] = [
  Mask()
]
