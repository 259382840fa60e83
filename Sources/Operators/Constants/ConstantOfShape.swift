/// ConstantOfShape (ONNX opset 9 to 28): a tensor of the extents that `input` lists, all of whose
/// elements are the one of `value`, or float 0.
///
/// Channels: with a constant operand every axis may be cut, and the operand is rewritten. Otherwise
/// an axis goes with the one whose extent its own is.
struct ConstantOfShape: Operator {
  let signature = Signature(
    "ConstantOfShape", opsets: 9...28, operands: 1...1, attributes: ["value": nil])

  private func element(_ call: Invocation) throws(CompileError) -> Tensor {
    guard call.has("value") else { return Tensor([Float(0)], shape: []) }
    guard let tensor = call.tensor("value"), tensor.shape.checkedElementCount == 1, tensor.hasData
    else { throw call.malformed("'value' must be a tensor of one element") }
    return tensor
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let element = try element(call)
    try call.requireIntegerList(0)
    guard let extents = call.operand(0)?.integers else {
      return [ValueFacts(element.elementType, call.unknownExtents(countedByOperand: 0))]
    }
    for case .fixed(let extent) in extents where extent < 0 {
      throw call.malformed("an extent is \(extent)")
    }
    var facts = ValueFacts(element.elementType, extents.map { Dimension($0) })
    // A short vector may well be shape arithmetic.
    if let shape = facts.fixedShape, shape.count <= 1, (shape.first ?? 1) <= 1024,
      let known = ValueFacts(constant: element.reshaped([1])).shapeElements
    {
      facts.contents = .integers(
        [SymbolicInteger](repeating: known[0], count: shape.first ?? 1))
    }
    return [facts]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    let isConstant = call.operand(0)?.constantIntegers != nil
    for axis in (call.results.first?.shape ?? []).indices {
      if isConstant {
        relations.free(.result(axis: axis))
      } else {
        relations.give(.result(axis: axis), byOperand: 0, element: axis)
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard var extents = call.operand(0)?.constantIntegers else { return [] }
    let axes = cut.axes(ofResult: 0)
    for axis in axes { extents[axis] = cut[.result(axis: axis)]!.count }
    return axes.isEmpty ? [] : [.operand(0, Tensor(extents))]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    return [Tensor(repeating: try element(call), shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
