import PrunecGraphIR
import PrunecTensors

/// ReverseSequence (ONNX opset 10 to 28): of every sequence in a batch the first `sequence_lens[i]`
/// elements in reverse order, the rest as it is. `batch_axis` and `time_axis` are the first two, in
/// either order; `sequence_lens [N]`.
///
/// Channels: all axes go with themselves but that of time, which is pinned, as is the batch.
struct ReverseSequence: Operator {
  let signature = Signature(
    "ReverseSequence", opsets: 10...28, operands: 2...2,
    attributes: ["batch_axis": .int(1), "time_axis": .int(0)])

  private func axes(_ call: Invocation) throws(CompileError) -> (batch: Int, time: Int) {
    let axes = (batch: try call.requiredInt("batch_axis"), time: try call.requiredInt("time_axis"))
    guard axes == (0, 1) || axes == (1, 0) else {
      throw call.malformed("the axes are not the first two")
    }
    return axes
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let axes = try axes(call)
    if let type = call.elementType(1), type != .int64 {
      throw call.malformed("lengths are of type \(type.name)")
    }
    guard let shape = call.shape(0) else { return [ValueFacts(call.elementType(0), nil)] }
    guard shape.count >= 2 else { throw call.malformed("X has \(shape.count) axes") }
    try call.requireVector(1, of: shape[axes.batch].fixedExtent)
    return [ValueFacts(call.elementType(0), shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices.dropFirst(2) {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    let lengths = try call.tensor(1, of: operands).integers
    let axes = try axes(call)
    let extent = x.shape[axes.time]
    guard lengths.allSatisfy({ (0...extent).contains($0) }) else {
      throw call.malformed("a length is out of range for an extent of \(extent)")
    }
    if x.count == 0 { return [x] }
    // A row is what lies at one place of the first two axes.
    var rows: [Int] = []
    for i in 0..<x.shape[0] {
      for j in 0..<x.shape[1] {
        let (batch, time) = axes.batch == 0 ? (i, j) : (j, i)
        let source = time < lengths[batch] ? lengths[batch] - 1 - time : time
        rows.append(axes.batch == 0 ? batch * extent + source : source * x.shape[1] + batch)
      }
    }
    let slice = x.shape[2...].reduce(1, *)
    let flat = x.reshaped([x.shape[0] * x.shape[1], slice])
    return [flat.keeping(rows, alongAxis: 0).reshaped(x.shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
