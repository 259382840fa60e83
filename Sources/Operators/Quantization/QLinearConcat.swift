import PrunecGraphIR
import PrunecTensors

/// QLinearConcat (of onnxruntime's own operators, version 1): quantised tensors one after the other along `axis`, all
/// quantised as the result is. Operands are the result's scale and zero point, and then for each part its integers
/// of eight bits, its scale and its zero point.
///
/// Channels: along `axis` every part is a section of the result; the other axes go together.
struct QLinearConcat: Operator {
  let signature = Signature(
    "QLinearConcat", domain: Signature.runtimeDomain, opsets: 1...1, operands: 5...Int.max,
    attributes: ["axis": nil])

  private static let concat = Concat()
  private static let y = QuantizedOperand(resultWithScale: 0)

  private func parts(_ call: Invocation) -> [QuantizedOperand] {
    stride(from: 2, to: call.operands.count, by: 3).map { QuantizedOperand(at: $0) }
  }

  /// The concatenation of the integers alone.
  private func twin(_ call: Invocation) -> Invocation {
    call.floatTwin(
      Self.concat.signature, opset: 13, operands: parts(call).map { call.operand($0.integers!) })
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    guard call.operands.count % 3 == 2 else {
      throw call.malformed("a part has no scale or zero point")
    }
    for operand in [Self.y] + parts(call) { try operand.check(call) }
    let shape = try Self.concat.inferFacts(twin(call))[0].shape
    let type = try call.commonElementType([1] + parts(call).map { $0.integers! })
    return [ValueFacts(type, shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    let parts = parts(call)
    guard ([Self.y] + parts).allSatisfy({ $0.isSingle(call) }) else { return }
    Concat.relate(call, parts: parts.map { $0.integers! }, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let facts = try resolve(call, on: operands).results[0]
    let tensors = parts(call).map {
      Self.y.quantized($0.numbers(operands), to: facts.elementType!, operands)
    }
    return try Self.concat.evaluate(twin(call), tensors)
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
