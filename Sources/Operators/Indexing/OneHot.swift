import PrunecGraphIR
import PrunecTensors

/// OneHot (ONNX opset 9 to 28): a new axis of `depth` elements at `axis`, of which the one that `indices`
/// names is `values[1]` and the others are `values[0]`. Negative indices count from the end, and what is
/// out of range names none. `indices [d0 ... dn]`, `values [2]`, Y of its type.
///
/// Channels: the axes of `indices` are those of Y; the new one is pinned, for indices count along it.
struct OneHot: Operator {
  let signature = Signature(
    "OneHot", opsets: 9...28, operands: 3...3, attributes: ["axis": .int(-1)])

  private func depth(_ call: Invocation) throws(CompileError) -> Dimension {
    guard let depth = call.operand(1) else { return .unknown }
    if let count = depth.fixedShape?.checkedElementCount, count != 1 {
      throw call.malformed("the depth has \(count) elements")
    }
    // It may be of a floating point type.
    guard let number = depth.shapeElements?.first else { return .unknown }
    if case .fixed(let extent) = number, extent < 0 {
      throw call.malformed("the depth is \(extent)")
    }
    return Dimension(number)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireVector(2, of: 2)
    let given = try call.requiredInt("axis")
    let depth = try depth(call)
    guard var shape = call.shape(0) else { return [ValueFacts(call.elementType(2), nil)] }
    shape.insert(depth, at: try call.normalizedAxis(given, rank: shape.count + 1))
    return [ValueFacts(call.elementType(2), shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count,
      let axis = try? call.normalizedAxis(call.requiredInt("axis"), rank: rank + 1)
    else { return }
    for source in 0..<rank {
      relations.equal(.operand(0, axis: source), .result(axis: source < axis ? source : source + 1))
    }
    relations.pin(.result(axis: axis), because: "indices count along it")
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let indices = try call.tensor(0, of: operands)
    let values = try call.tensor(2, of: operands)
    if shape.contains(0) { return [values.emptied(shape)] }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: shape.count)
    let depth = shape[axis]
    guard let numbers = indices.converted(to: .int64)?.integers else {
      throw call.unsupported("indices of \(indices.elementType.name) are not evaluated")
    }
    let inner = shape[(axis + 1)...].reduce(1, *)
    var choice = [Int](repeating: 0, count: shape.elementCount)
    for (place, number) in numbers.enumerated() where number >= -depth && number < depth {
      let index = number < 0 ? number + depth : number
      choice[(place / inner * depth + index) * inner + place % inner] = 1
    }
    return [values.keeping(choice, alongAxis: 0).reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
