import PrunecGraphIR
import PrunecTensors

/// ScatterElements (ONNX opset 11 to 28), which before was Scatter (opset 9 and 10): `data` with
/// elements replaced: `updates[i...]` goes to `i...` with the index along `axis` replaced by
/// `indices[i...]` or, under `reduction` (opset 16 on; max and min from 18), is combined with what is
/// there. Along other axes `indices` and `updates` may have fewer elements than `data`.
///
/// Channels: other axes of `indices` and `updates` are the front of those of `data`, which are those of
/// the result. All are pinned along `axis`, for an update that went would no longer be made.
struct ScatterElements: Operator {
  let signature: Signature

  private init(_ type: String, opsets: ClosedRange<Int>) {
    signature = Signature(
      type, opsets: opsets, operands: 3...3,
      attributes: ["axis": .int(0), "reduction": .string(Array("none".utf8))])
  }

  static let all = [
    ScatterElements("ScatterElements", opsets: 11...28), ScatterElements("Scatter", opsets: 9...10),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType([0, 2])
    let _: ScatterReduction = try call.choice("reduction")
    _ = try ElementIndex.axis(call)
    if let indices = call.shape(1), let updates = call.shape(2) {
      let isFitting =
        indices.count == updates.count
        && zip(indices, updates).allSatisfy { pair in
          guard let a = pair.0.fixedExtent, let b = pair.1.fixedExtent else { return true }
          return a == b
        }
      guard isFitting else { throw call.malformed("the updates do not fit the indices") }
    }
    let contents = movedContents(call, of: [0, 2], to: call.shape(0))
    return [ValueFacts(type, call.shape(0), contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let rank = call.shape(0)?.count,
      let axis = (try? ElementIndex.axis(call)) ?? nil
    else { return }
    for other in 0..<rank where other != axis {
      relations.equal(.operand(0, axis: other), .result(axis: other))
      relations.equal(.operand(1, axis: other), .operand(2, axis: other))
      relations.section(.operand(1, axis: other), of: .operand(0, axis: other), start: 0)
    }
    relations.pin(.operand(0, axis: axis), because: "single elements are written along it")
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    let indices = try call.tensor(1, of: operands)
    if data.count == 0 || indices.count == 0 { return [data] }
    let targets = try ElementIndex.offsets(
      of: indices, in: data.shape, axis: ElementIndex.axis(resolved)!, call)
    let reduction: ScatterReduction = try call.choice("reduction")
    return [try reduction.scatter(call.tensor(2, of: operands), to: targets, of: data, call)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension ScatterElements: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint, let axis = try ElementIndex.axis(call) else {
      return nil
    }
    return .scatter(axis: axis, try call.choice("reduction"))
  }
}
