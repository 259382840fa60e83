import PrunecGraphIR
import PrunecTensors

/// PRelu (ONNX opset 7 to 28): `Y = X < 0 ? slope X : X`, the slope being broadcast to X and not the
/// other way round.
///
/// Channels: the axes of the slope go with those of X that they broadcast to, except those of extent
/// one.
struct PRelu: Operator {
  let signature = Signature("PRelu", operands: 2...2)

  private static let formula = BinaryFormula(
    float: { $0 < 0 ? $1 * $0 : $0 }, double: { $0 < 0 ? $1 * $0 : $0 },
    integer: { $0 < 0 ? $1 &* $0 : $0 })

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(0..<2)
    guard let input = call.shape(0), let slope = call.shape(1) else {
      return [ValueFacts(type, call.shape(0))]
    }
    let common = try Broadcasting.shape(of: [input, slope], call)!
    // Where X's own extent is not known, it may still be the one that the slope asks for.
    let isStretched = zip(input, common.suffix(input.count)).contains {
      $0.fixedExtent == 1 && $1.fixedExtent ?? 1 != 1
    }
    guard common.count == input.count, !isStretched else {
      throw call.malformed("the slope does not broadcast to X")
    }
    return [ValueFacts(type, input)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<2, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    return [
      try Self.formula.apply(
        call, call.tensor(0, of: operands), call.tensor(1, of: operands), shape: shape)
    ]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension PRelu: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint else { return nil }
    // min(x, 0) slope + max(x, 0)
    return .elementwise(
      ElementwiseFormula(
        operandCount: 2,
        [
          .init(.number(0), []), .init(.minimum, [0, 2]), .init(.multiply, [3, 1]),
          .init(.maximum, [0, 2]), .init(.add, [4, 5]),
        ]))
  }
}
