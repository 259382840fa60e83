/// Matrix products.
let linearOperators: [any Operator] = [
  Einsum(),
  Gemm(),
  MatMul(),
]
