import PrunecGraphIR
import PrunecTensors

/// ConstantOfShape (ONNX opset 9 to 28): a tensor of the extents that `input` lists, all of whose
/// elements are the one of `value`, or float 0.
///
/// Channels: every axis whose extent the operand is known to give as a number may be cut, and the
/// number is rewritten.
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
    if ValueFacts.isShapeArithmetic(facts.shape),
      let known = ValueFacts(constant: element).shapeElements
    {
      facts.contents = .integers(
        [SymbolicInteger](repeating: known[0], count: facts.fixedShape!.elementCount))
    }
    return [facts]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    let extents = call.operand(0)?.integers
    for axis in (call.results.first?.shape ?? []).indices {
      if extents?[axis].number != nil {
        relations.free(.result(axis: axis))
      } else {
        relations.pin(.result(axis: axis), because: "its extent is computed")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    var extents: [Int: Int] = [:]
    for axis in cut.axes(ofResult: 0) { extents[axis] = cut[.result(axis: axis)]!.count }
    return call.adaptations(extents, ofOperand: 0)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    // One element in memory, however many there are: enough for the largest layers in use.
    let resolved = try resolve(call, on: operands, elementLimit: 1 << 27)
    let shape = resolved.results[0].fixedShape!
    return [Tensor(repeating: try element(call), shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
