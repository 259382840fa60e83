/// The operators whose result does not depend on the elements of any operand, and those that make
/// the constants of shape arithmetic.
let constantOperators: [any Operator] = [
  Constant(), ConstantOfShape(), EyeLike(), RangeVector(), Shape(), Size(),
]
