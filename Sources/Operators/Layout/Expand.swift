import PrunecGraphIR
import PrunecTensors

/// Expand (ONNX opset 8 to 28): `input` broadcast with the extents that `shape` lists.
///
/// Channels: an axis that is not stretched goes with the result's axis. A stretched one leaves the
/// result's axis free, as its extent is a number of `shape` that can be rewritten, if it is known.
struct Expand: Operator {
  let signature = Signature("Expand", opsets: 8...28, operands: 2...2)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    try call.requireIntegerList(1)
    var target = call.unknownExtents(countedByOperand: 1)
    if let entries = call.operand(1)?.integers {
      for case .fixed(let extent) in entries where extent < 0 {
        throw call.malformed("the target has an entry of \(extent)")
      }
      target = entries.map { Dimension($0) }
    }
    let shape = try Broadcasting.shape(of: [call.shape(0), target], call)
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let output = call.results.first?.shape else { return }
    let target = call.operand(1)?.integers
    for axis in output.indices {
      guard let extent = output[axis].fixedExtent else { continue }
      // An entry of one asks for nothing, as does one that is not there; any other is rewritten.
      let index = axis - (output.count - (target?.count ?? 0))
      if target == nil || (index >= 0 && target![index].number == nil) {
        relations.pin(.result(axis: axis), because: "its extent is computed")
      }
      let source = axis - (output.count - input.count)
      if source >= 0, input[source].fixedExtent == extent {
        relations.equal(.operand(0, axis: source), .result(axis: axis))
      } else if source >= 0, input[source].fixedExtent == nil {
        relations.pin(.result(axis: axis), because: "the operand's extent is not known")
      } else {
        relations.free(.result(axis: axis))
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let target = call.operand(1)?.integers, let output = call.results.first?.shape else {
      return []
    }
    var entries: [Int: Int] = [:]
    for axis in cut.axes(ofResult: 0) {
      let index = axis - (output.count - target.count)
      if index >= 0, target[index] != .fixed(1) { entries[index] = cut[.result(axis: axis)]!.count }
    }
    return call.adaptations(entries, ofOperand: 1)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return [try call.tensor(0, of: operands).stretched(to: resolved.results[0].fixedShape!)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Expand: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .views([[.broadcast(call.results[0].fixedShape!)]])
  }
}
