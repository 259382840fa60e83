/// Matrix products.
let linearOperators: [any Operator] = [
  Gemm(),
  MatMul(),
]
