import PrunecGraphIR
import PrunecTensors

/// TensorScatter (ONNX opset 24 to 28): a cache with new elements written into it: `past [N, ... S ...]`,
/// `update [N, ... L ...]` with L at most S elements along `axis`, which go to places from
/// `write_indices[n]` on (from 0 without them), and with `mode` circular on from 0 again.
///
/// Channels: axes other than the first and `axis` go with themselves; `axis` is pinned, for an update
/// that went would no longer be made.
struct TensorScatter: Operator {
  let signature = Signature(
    "TensorScatter", opsets: 24...28, operands: 2...3,
    attributes: ["axis": .int(-2), "mode": .string(Array("linear".utf8))])

  private enum Mode: String { case linear, circular }

  private func axis(_ call: Invocation) throws(CompileError) -> Int? {
    let given = try call.requiredInt("axis")
    guard let past = call.shape(0) else { return nil }
    let axis = try call.normalizedAxis(given, rank: past.count)
    guard axis > 0 else { throw call.malformed("axis 0 is that of the batch") }
    guard let update = call.shape(1) else { return axis }
    guard update.count == past.count else {
      throw call.malformed("the cache has \(past.count) axes and the update has \(update.count)")
    }
    for index in past.indices {
      guard let a = past[index].fixedExtent, let b = update[index].fixedExtent else { continue }
      guard index == axis ? b <= a : b == a else {
        throw call.malformed("an update of extent \(b) along axis \(index) does not fit \(a)")
      }
    }
    return axis
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType([0, 1])
    let _: Mode = try call.choice("mode")
    _ = try axis(call)
    if call.operand(2) != nil {
      if let type = call.elementType(2), type != .int64 {
        throw call.malformed("write indices are of type \(type.name)")
      }
      try call.requireVector(2, of: call.shape(0)?.first?.fixedExtent)
    }
    return [ValueFacts(type, call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let rank = call.shape(0)?.count, let axis = (try? axis(call)) ?? nil
    else { return }
    for other in 1..<rank where other != axis {
      relations.equal(.operand(0, axis: other), .result(axis: other))
      relations.equal(.operand(1, axis: other), .result(axis: other))
    }
    relations.pin(.operand(0, axis: axis), because: "elements are written along it by their place")
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let past = try call.tensor(0, of: operands)
    let update = try call.tensor(1, of: operands)
    if past.count == 0 || update.count == 0 { return [past] }
    let axis = try axis(resolved)!
    let mode: Mode = try call.choice("mode")
    let (capacity, length) = (past.shape[axis], update.shape[axis])
    let given = operands.count > 2 ? operands[2] : nil
    let starts = given?.integers ?? [Int](repeating: 0, count: past.shape[0])
    let inner = past.shape[(axis + 1)...].reduce(1, *)
    let rows = past.shape[1..<axis].reduce(1, *)
    var targets: [Int] = []
    for (batch, start) in starts.enumerated() {
      guard start >= 0, mode == .circular || start <= capacity - length else {
        throw call.malformed("an update of \(length) elements at \(start) does not fit \(capacity)")
      }
      for row in 0..<rows {
        for index in 0..<length {
          let place = (start % capacity + index) % capacity
          let offset = ((batch * rows + row) * capacity + place) * inner
          targets += offset..<(offset + inner)
        }
      }
    }
    return [try ScatterReduction.none.scatter(update, to: targets, of: past, call)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
