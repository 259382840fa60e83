/// Expand (ONNX opset 8 to 28): `input` broadcast with the extents that `shape` lists.
///
/// Channels: an axis that is not stretched goes with the result's axis. A stretched one leaves the
/// result's axis free, as its extent is a number of `shape` that can be rewritten, if that is
/// constant; otherwise the axis goes with the one whose extent the number is.
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
    let isSame = shape != nil && shape == call.shape(0)
    let contents = isSame ? call.operand(0)!.contents(movedToRank: shape?.count) : .unknown
    return [ValueFacts(type, shape, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let output = call.results.first?.shape else { return }
    let target = call.operand(1)?.integers
    let isConstant = call.operand(1)?.constantIntegers != nil
    for axis in output.indices {
      guard let extent = output[axis].fixedExtent else { continue }
      let source = axis - (output.count - input.count)
      if source >= 0, input[source].fixedExtent == extent {
        relations.equal(.operand(0, axis: source), .result(axis: axis))
      } else if source >= 0, input[source].fixedExtent == nil {
        relations.pin(.result(axis: axis), because: "the operand's extent is not known")
      } else if isConstant {
        relations.free(.result(axis: axis))
      }
      guard !isConstant else { continue }
      // An entry of one asks for nothing; any other must be that of the axis as it will be.
      guard let target else {
        relations.pin(.result(axis: axis), because: "target shape is not constant")
        continue
      }
      let entryIndex = axis - (output.count - target.count)
      if entryIndex >= 0, target[entryIndex] != .fixed(1) {
        relations.give(.result(axis: axis), byOperand: 1, element: entryIndex)
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let target = call.operand(1)?.constantIntegers, let output = call.results.first?.shape
    else { return [] }
    var entries = target
    for axis in cut.axes(ofResult: 0) {
      let index = axis - (output.count - target.count)
      if index >= 0, target[index] != 1 { entries[index] = cut[.result(axis: axis)]!.count }
    }
    return entries == target ? [] : [.operand(1, call.integerTensor(entries, likeOperand: 1))]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return [try call.tensor(0, of: operands).stretched(to: resolved.results[0].fixedShape!)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
