import PrunecGraphIR
import PrunecTensors

/// Unsqueeze (ONNX opset 7 to 28): `data` with an axis of extent one at each of `axes`, which count
/// in the result. The axes are an attribute before opset 13 and an operand since.
///
/// Channels: every axis of the operand goes with the axis that it becomes.
struct Unsqueeze: Operator {
  let signature = Signature("Unsqueeze", operands: 1...2, attributes: ["axes": nil])

  /// The axes of the result that are new; `nil` where they are not known.
  private func axes(_ call: Invocation, inputRank: Int) throws(CompileError) -> Set<Int>? {
    switch try call.integers(attribute: "axes", operand: 1, since: 13) {
    case .unknown: return nil
    case .absent: throw call.malformed("there are no axes")
    case .known(let axes):
      return Set(try call.normalizedAxes(axes, rank: inputRank + axes.count))
    }
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard let input = call.shape(0), let axes = try axes(call, inputRank: input.count) else {
      return [ValueFacts(type, nil)]
    }
    var rest = input[...]
    let shape = (0..<(input.count + axes.count)).map { axis in
      axes.contains(axis) ? .fixed(1) : rest.removeFirst()
    }
    let contents = call.operand(0)!.contents(under: shape)
    return [ValueFacts(type, shape, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let axes = try? axes(call, inputRank: input.count) else {
      return
    }
    let kept = (0..<(input.count + axes.count)).filter { !axes.contains($0) }
    for (source, axis) in kept.enumerated() {
      relations.equal(.operand(0, axis: source), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return [try call.tensor(0, of: operands).reshaped(resolved.results[0].fixedShape!)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Unsqueeze: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .reshape(call)
  }
}
