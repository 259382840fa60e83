/// The operators that compute each element from the elements at its place.
let elementwiseOperators: [any Operator] =
  [
    BitShift(), Clip(), Gelu(), Gelu(domain: Signature.runtimeDomain), Mod(), Pow(), PRelu(),
    Where(),
  ] as [any Operator]
  + BiasedGelu.all + BinaryElementwise.all + Bitwise.all + Classification.all
  + Comparison.all + Logical.all + ParametricActivation.all + UnaryElementwise.all
  + VariadicElementwise.all
