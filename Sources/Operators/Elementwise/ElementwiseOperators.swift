/// The operators that compute each element from the elements at its place.
let elementwiseOperators: [any Operator] =
  [Clip(), Gelu(), Where()] as [any Operator] + BinaryElementwise.all + Comparison.all
  + UnaryElementwise.all + VariadicElementwise.all
