import PrunecGraphIR
import PrunecTensors

/// Sums and products of quantised tensors, quantised, with multidirectional broadcasting:
/// `C = saturate(round((A - A_zero_point) A_scale op (B - B_zero_point) B_scale / C_scale) + C_zero_point)`, in
/// integers of eight bits, with one scale and zero point for each. They differ in nothing but the formula.
///
/// onnxruntime's own operators, version 1: QLinearAdd, QLinearMul.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct QLinearBinary: Operator {
  let signature: Signature
  private let formula: @Sendable (Float, Float) -> Float

  private static let (a, b, c) = (
    QuantizedOperand(at: 0), QuantizedOperand(at: 3), QuantizedOperand(resultWithScale: 6)
  )

  private init(_ type: String, _ formula: @escaping @Sendable (Float, Float) -> Float) {
    signature = Signature(
      type, domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...8)
    self.formula = formula
  }

  /// One operator for each formula.
  static let all = [
    QLinearBinary("QLinearAdd") { $0 + $1 }, QLinearBinary("QLinearMul") { $0 * $1 },
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for operand in [Self.a, Self.b, Self.c] { try operand.check(call) }
    let type = try call.commonElementType([0, 3, 7])
    return [ValueFacts(type, try Broadcasting.shape(of: [call.shape(0), call.shape(3)], call))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard [Self.a, Self.b, Self.c].allSatisfy({ $0.isSingle(call) }) else { return }
    Broadcasting.relate(call, operands: [0, 3], &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let facts = try resolve(call, on: operands).results[0]
    let shape = facts.fixedShape!
    let a = Self.a.numbers(operands).stretched(to: shape).floats
    let b = Self.b.numbers(operands).stretched(to: shape).floats
    let numbers = Tensor(zip(a, b).map { formula($0, $1) }, shape: shape)
    return [Self.c.quantized(numbers, to: facts.elementType!, operands)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
