import Glibc
import PrunecGraphIR
import PrunecTensors

/// Mod (ONNX opset 10 to 28): the rest of `A / B` with multidirectional broadcasting. It has the sign
/// of B, or with `fmod = 1` that of A. Dividing an integer by zero is an error of the model.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct Mod: DiscontinuousOperator {
  let signature = Signature("Mod", opsets: 10...28, operands: 2...2, attributes: ["fmod": .int(0)])

  private static let truncating = BinaryFormula(
    float: { fmodf($0, $1) }, double: { fmod($0, $1) },
    integer: { $1 == 0 ? nil : $0.remainderReportingOverflow(dividingBy: $1).partialValue })

  private static let flooring = BinaryFormula(
    float: { floored(fmodf($0, $1), $1) }, double: { floored(fmod($0, $1), $1) },
    integer: { dividend, divisor in
      if divisor == 0 { return nil }
      let rest = dividend.remainderReportingOverflow(dividingBy: divisor).partialValue
      return rest != 0 && (rest < 0) != (divisor < 0) ? rest + divisor : rest
    })

  /// The rest with the sign of the divisor, from the one with the sign of the dividend.
  private static func floored<Number: BinaryFloatingPoint>(
    _ rest: Number, _ divisor: Number
  ) -> Number {
    if rest == 0 { return divisor < 0 ? -0.0 : 0 }
    return (rest < 0) != (divisor < 0) ? rest + divisor : rest
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(0..<2)
    let shape = try Broadcasting.shape(of: [call.shape(0), call.shape(1)], call)
    return [ValueFacts(type, shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<2, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let formula = try call.requiredInt("fmod") == 1 ? Self.truncating : Self.flooring
    return [
      try formula.apply(
        call, call.tensor(0, of: operands), call.tensor(1, of: operands), shape: shape)
    ]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Mod: KernelOperator {
  /// The rest with the sign of the dividend, brought to that of the divisor as `floored` does.
  private static let flooringFormula = ElementwiseFormula(
    operandCount: 2,
    [
      .init(.modulus, [0, 1]), .init(.number(0), []), .init(.number(-0.0), []),
      .init(.less, [2, 3]), .init(.less, [1, 3]), .init(.xor, [5, 6]), .init(.add, [2, 1]),
      .init(.select, [7, 8, 2]), .init(.select, [6, 4, 3]), .init(.equal, [2, 3]),
      .init(.select, [11, 10, 9]),
    ])

  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint else { return nil }
    let isTruncating = try call.requiredInt("fmod") == 1
    return .elementwise(
      isTruncating ? ElementwiseFormula(.modulus, operandCount: 2) : Self.flooringFormula)
  }
}
