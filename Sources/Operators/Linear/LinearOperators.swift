/// Matrix products.
let linearOperators: [any Operator] = [
  Det(),
  Einsum(),
  FusedMatMul(),
  Gemm(),
  MatMul(),
]
