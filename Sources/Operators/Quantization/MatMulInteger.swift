import PrunecGraphIR
import PrunecTensors

/// MatMulInteger (ONNX opset 10 to 28): the product of matrices of 8-bit integers as MatMul has it, each
/// less its zero point: `Y = (A - a_zero_point) (B - b_zero_point)` in 32 bits, with `A [..., M, K]`,
/// `B [..., K, N]`, `Y [..., M, N]`. Zero points are zero where they are left out; there is one for all, or
/// one for each row of A or column of B.
///
/// Channels: as for MatMul, with the axes of zero points. K may be cut where one of the two has one
/// zero point that is known: that operand is masked, be it constant or not.
struct MatMulInteger: Operator {
  let signature = Signature("MatMulInteger", opsets: 10...28, operands: 2...4)

  private static let form = MatrixProductForm(a: 0, b: 1)
  private static let zeroPoints = [
    FactorParameter(index: 2, factor: 0, isByRow: true),
    FactorParameter(index: 3, factor: 1, isByRow: false),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try ZeroPoints.requireBytes(call, 0, 1)
    try call.requireSameType(0, 2)
    try call.requireSameType(1, 3)
    for parameter in Self.zeroPoints { _ = try parameter.axes(call) }
    return [ValueFacts(.int32, try Self.form.resultShape(call))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let (a, b) = Self.form.innerAxes(call),
      Self.zeroPoints.allSatisfy({ (try? $0.axes(call)) != nil })
    else { return }
    relations.equal(a, b)
    ZeroPoints.relateSum(over: (a, 2), (b, 3), call, &relations)
    Self.form.relateOuterAxes(call, &relations)
    for parameter in Self.zeroPoints { parameter.relate(call, &relations) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let (a, b) = (operands[0]!, operands[1]!)
    func zeroPoint(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    let sums = FactorParameter.products(
      FactorParameter.shifted(a, by: zeroPoint(2), Self.zeroPoints[0]), a.shape,
      FactorParameter.shifted(b, by: zeroPoint(3), Self.zeroPoints[1]), b.shape,
      count: shape.elementCount)
    return [Tensor(wrapping: sums, to: .int32, shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { Self.form.macs(call) }
}
