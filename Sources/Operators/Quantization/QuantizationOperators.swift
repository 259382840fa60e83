/// The ways between numbers and the narrow integers that stand for them, and products of those.
let quantizationOperators: [any Operator] =
  [
    ConvInteger(),
    DequantizeLinear(), DequantizeLinear(domain: Signature.runtimeDomain),
    DynamicQuantizeLinear(),
    MatMulInteger(),
    QGemm(),
    QLinearConcat(),
    QLinearConv(), QLinearMatMul(),
    QLinearSoftmax(),
    QuantizeLinear(), QuantizeLinear(domain: Signature.runtimeDomain),
  ] + QLinearActivation.all + QLinearBinary.all + QLinearPooling.all
