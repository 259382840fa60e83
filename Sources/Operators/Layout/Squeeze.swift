import PrunecGraphIR
import PrunecTensors

/// Squeeze (ONNX opset 7 to 28): `data` without `axes`, which have extent one; without `axes`, all
/// axes of extent one go. The axes are an attribute before opset 13 and an operand since.
///
/// Channels: every axis that stays goes with the axis that it becomes. A node without `axes` gets
/// them when something is cut, lest an axis of which one channel is left goes too.
struct Squeeze: Operator {
  let signature = Signature("Squeeze", operands: 1...2, attributes: ["axes": nil])

  /// The axes that go; `nil` where they are not known.
  private func axes(_ call: Invocation, _ input: [Dimension]) throws(CompileError) -> Set<Int>? {
    switch try call.integers(attribute: "axes", operand: 1, since: 13) {
    case .unknown: return nil
    case .known(let axes): return Set(try call.normalizedAxes(axes, rank: input.count))
    case .absent:
      guard input.allSatisfy({ $0.fixedExtent != nil }) else { return nil }
      return Set(input.indices.filter { input[$0].fixedExtent == 1 })
    }
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard let input = call.shape(0), let axes = try axes(call, input) else {
      return [ValueFacts(type, nil)]
    }
    for axis in axes.sorted() {
      if let extent = input[axis].fixedExtent, extent != 1 {
        throw call.malformed("axis \(axis) has extent \(extent) and cannot be squeezed")
      }
    }
    let shape = input.indices.filter { !axes.contains($0) }.map { input[$0] }
    let contents = call.operand(0)!.contents(under: shape)
    return [ValueFacts(type, shape, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let axes = try? axes(call, input) else { return }
    for (axis, source) in input.indices.filter({ !axes.contains($0) }).enumerated() {
      relations.equal(.operand(0, axis: source), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard case .absent = try call.integers(attribute: "axes", operand: 1, since: 13),
      let input = call.shape(0), let axes = try axes(call, input)
    else { return [] }
    return [call.adaptation(axes.sorted(), attribute: "axes", operand: 1, since: 13)]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return [try call.tensor(0, of: operands).reshaped(resolved.results[0].fixedShape!)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Squeeze: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .reshape(call)
  }
}
