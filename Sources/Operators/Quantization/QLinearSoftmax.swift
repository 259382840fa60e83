import PrunecGraphIR
import PrunecTensors

/// QLinearSoftmax (of onnxruntime's own operators, version 1): Softmax of quantised numbers, quantised, in integers
/// of eight bits with one scale and zero point for each of `X`, `Y [d0 ... dn]`. The attribute `opset` says of
/// which version: since 13 along `axis` alone, before over all axes from `axis` on, taken together.
///
/// Channels: the axes of Y are those of X. Those that the shares sum over are pinned: no integer stands for minus
/// infinity.
struct QLinearSoftmax: Operator {
  let signature = Signature(
    "QLinearSoftmax", domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...5,
    attributes: ["axis": .int(-1), "opset": nil])

  private static let (x, y) = (QuantizedOperand(at: 0), QuantizedOperand(resultWithScale: 3))
  private static let softmax = Softmax.all.first { $0.signature.operation.type == "Softmax" }!

  /// The axes over which the shares sum to one.
  private func axes(_ call: Invocation, rank: Int) throws(CompileError) -> Range<Int> {
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: rank)
    return axis..<(try call.requiredInt("opset") >= 13 ? axis + 1 : rank)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for operand in [Self.x, Self.y] { try operand.check(call) }
    if let rank = call.shape(0)?.count { _ = try axes(call, rank: rank) }
    return [ValueFacts(try call.commonElementType([0, 4]), call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard Self.x.isSingle(call), Self.y.isSingle(call), let rank = call.shape(0)?.count,
      let summed = try? axes(call, rank: rank)
    else { return }
    for axis in 0..<rank {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
      if summed.contains(axis) {
        relations.pin(
          .operand(0, axis: axis), because: "no integer stands for minus infinity in a softmax")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let type = try resolve(call, on: operands).results[0].elementType!
    let numbers = Self.x.numbers(operands)
    let twin = call.floatTwin(
      Self.softmax.signature, opset: try call.requiredInt("opset"),
      operands: [ValueFacts(constant: numbers)])
    let shares = try Self.softmax.evaluate(twin, [numbers])[0]
    return [Self.y.quantized(shares, to: type, operands)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
