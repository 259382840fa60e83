/// Matrix products.
let linearOperators: [any Operator] = [
  Det(),
  Einsum(),
  Gemm(),
  MatMul(),
]
