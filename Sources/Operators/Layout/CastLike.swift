import PrunecGraphIR
import PrunecTensors

/// CastLike (ONNX opset 15 to 28): every element converted to the element type of the second operand,
/// as `Cast` does it.
///
/// Channels: every axis of the first operand goes with itself; the second may be of any shape, and
/// cutting it changes nothing.
struct CastLike: DiscontinuousOperator {
  let signature = Signature(
    "CastLike", opsets: 15...28, operands: 2...2,
    attributes: ["round_mode": .string(Array("up".utf8)), "saturate": .int(1)])

  /// A constant is one whatever the elements of the other operand are, so it is converted here.
  private static let constantLimit = 4096

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    var facts = ValueFacts(call.elementType(1), call.shape(0))
    if let type = facts.elementType, let constant = call.operand(0)?.constant,
      constant.count <= Self.constantLimit,
      let converted = constant.converted(to: type, saturates: call.int("saturate") != 0)
    {
      facts.contents = .constant(converted)
    }
    return [facts]
  }

  func isDiscontinuous(_ call: Invocation) -> Bool {
    call.readsComputedFractions && call.elementType(1)?.isFloatingPoint != true
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
    for axis in (call.shape(1) ?? []).indices { relations.free(.operand(1, axis: axis)) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let operand = try call.tensor(0, of: operands)
    let type = try call.tensor(1, of: operands).elementType
    let saturates = try call.requiredInt("saturate") != 0
    guard let converted = operand.converted(to: type, saturates: saturates) else {
      throw call.unsupported(
        "a cast from \(operand.elementType.name) to \(type.name) is not evaluated")
    }
    return [converted]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension CastLike: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .conversion(from: call.elementType(0)!, to: call.elementType(1)!)
  }
}
