import Glibc
import PrunecGraphIR
import PrunecTensors

/// Functions of one variable on quantised tensors of any shape, quantised:
/// `Y = saturate(round(f((X - X_zero_point) X_scale) / Y_scale) + Y_zero_point)`, in integers of eight bits, with
/// one scale and zero point for each. They differ in nothing but the formula.
///
/// onnxruntime's own operators, version 1: QLinearSigmoid, and QLinearLeakyRelu with its slope `alpha` below
/// zero.
///
/// Channels: every axis goes with itself.
struct QLinearActivation: Operator {
  let signature: Signature
  /// The formula, given an element and `alpha`.
  private let formula: @Sendable (Float, Float) -> Float

  private static let (x, y) = (QuantizedOperand(at: 0), QuantizedOperand(resultWithScale: 3))

  private init(
    _ type: String, attributes: [String: Attribute.Value?] = [:],
    _ formula: @escaping @Sendable (Float, Float) -> Float
  ) {
    signature = Signature(
      type, domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...5,
      attributes: attributes)
    self.formula = formula
  }

  /// One operator for each formula.
  static let all = [
    QLinearActivation("QLinearLeakyRelu", attributes: ["alpha": .float(0.01)]) { x, alpha in
      x < 0 ? alpha * x : x
    },
    QLinearActivation("QLinearSigmoid") { x, _ in 1 / (1 + expf(-x)) },
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for operand in [Self.x, Self.y] { try operand.check(call) }
    return [ValueFacts(try call.commonElementType([0, 4]), call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard Self.x.isSingle(call), Self.y.isSingle(call) else { return }
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let type = try resolve(call, on: operands).results[0].elementType!
    let alpha = signature.attributes["alpha"] == nil ? 0 : try call.requiredFloat("alpha")
    let numbers = Self.x.numbers(operands).mapFloats { formula($0, alpha) }
    return [Self.y.quantized(numbers, to: type, operands)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
