import PrunecGraphIR
import PrunecTensors

/// QLinearMatMul (ONNX opset 10 to 28): the product of quantised matrices, quantised:
/// `Y = saturate(round((A - a_zero_point) (B - b_zero_point) a_scale b_scale / y_scale) + y_zero_point)`, with
/// `A [..., M, K]`, `B [..., K, N]`, `Y [..., M, N]`. There is one scale and zero point for all of a factor,
/// or one for each row of A or column of B.
///
/// Channels: as for MatMulInteger, with the axes of scales.
struct QLinearMatMul: Operator {
  let signature = Signature("QLinearMatMul", opsets: 10...28, operands: 8...8)

  private static let form = MatrixProductForm(a: 0, b: 3)
  private static let parameters = [
    FactorParameter(index: 1, factor: 0, isByRow: true),
    FactorParameter(index: 2, factor: 0, isByRow: true),
    FactorParameter(index: 4, factor: 3, isByRow: false),
    FactorParameter(index: 5, factor: 3, isByRow: false),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for index in [0, 3, 7] {
      if let type = call.elementType(index), type.bitWidth != 8 || type == .bool {
        throw call.malformed("operand \(index) is of type \(type.name)")
      }
    }
    try call.requireSameType(0, 2)
    try call.requireSameType(3, 5)
    try call.requireFloatingPoint(1, 4, 6)
    for parameter in Self.parameters { _ = try parameter.axes(call) }
    return [ValueFacts(call.elementType(7), try Self.form.resultShape(call))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let (a, b) = Self.form.innerAxes(call),
      Self.parameters.allSatisfy({ (try? $0.axes(call)) != nil }),
      ZeroPoints.isSingle(call, 6), ZeroPoints.isSingle(call, 7)
    else { return }
    relations.equal(a, b)
    ZeroPoints.relateSum(over: (a, 2), (b, 5), call, &relations)
    Self.form.relateOuterAxes(call, &relations)
    for parameter in Self.parameters { parameter.relate(call, &relations) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let tensors = operands.compactMap { $0 }
    let (a, b) = (tensors[0], tensors[3])
    guard [0, 3, 7].allSatisfy({ tensors[$0].elementType.isInteger }) else {
      throw call.unsupported("a product of floats of eight bits is not evaluated")
    }
    let isPlain = [1, 2, 4, 5].allSatisfy { tensors[$0].count == 1 }
    guard tensors[6].count == 1, tensors[7].count == 1, isPlain || (a.rank > 1 && b.rank > 1) else {
      throw call.unsupported("a result with several scales is not evaluated")
    }
    let sums = FactorParameter.products(
      FactorParameter.shifted(a, by: tensors[2], Self.parameters[1]), a.shape,
      FactorParameter.shifted(b, by: tensors[5], Self.parameters[3]), b.shape,
      count: shape.elementCount)
    let (left, right) = (tensors[1].floats, tensors[4].floats)
    let divisor = tensors[6].floats[0]
    let scales = zip(
      Self.parameters[0].offsets(of: tensors[1].shape, in: shape),
      Self.parameters[2].offsets(of: tensors[4].shape, in: shape)
    ).map { left[$0] * right[$1] / divisor }
    return [
      ZeroPoints.requantize(
        sums, by: scales, to: tensors[7].elementType, zero: tensors[7].integers[0], shape: shape)
    ]
  }

  func macs(_ call: Invocation) -> Int { Self.form.macs(call) }
}
