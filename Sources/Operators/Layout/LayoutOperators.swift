/// The operators that move elements and compute nothing.
let layoutOperators: [any Operator] = [
  Cast(), Concat(), Dropout(), Expand(), Flatten(), Gather(), Identity(), Reshape(), Slice(),
  Split(), Squeeze(), Transpose(), Unsqueeze(),
]
