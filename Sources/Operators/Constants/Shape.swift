import PrunecGraphIR
import PrunecTensors

/// Shape (ONNX opset 7 to 28): the extents of `data` as an int64 vector; since opset 15 only those of
/// the axes from `start` to before `end`, which count from the end where negative and are clamped.
///
/// Channels: the elements do not matter, so an axis of the operand may be cut unless its extent is
/// used.
struct Shape: Operator {
  let signature = Signature(
    "Shape", operands: 1...1, attributes: ["end": nil, "start": .int(0)])

  private func range(_ call: Invocation, rank: Int) throws(CompileError) -> Range<Int> {
    let start = try clamped(call.requiredInt("start"), rank: rank)
    let end = call.has("end") ? try clamped(call.requiredInt("end"), rank: rank) : rank
    return start..<max(start, end)
  }

  private func clamped(_ axis: Int, rank: Int) -> Int {
    min(max(axis < 0 ? axis + rank : axis, 0), rank)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    guard let shape = call.shape(0) else { return [ValueFacts(.int64, [.unknown])] }
    let extents = shape[try range(call, rank: shape.count)].map(\.extent)
    return [ValueFacts(.int64, [.fixed(extents.count)], contents: .integers(extents))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let range = try? range(call, rank: rank) else { return }
    relations.readExtents(ofOperand: 0, firstAxis: range.lowerBound)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try call.tensor(0, of: operands).shape
    return [Tensor(Array(shape[try range(call, rank: shape.count)]))]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
