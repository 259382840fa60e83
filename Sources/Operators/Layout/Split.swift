import PrunecGraphIR
import PrunecTensors

/// Split (ONNX opset 7 to 28): the parts of `input` along `axis`, of the extents that `split` lists
/// or else of equal ones. `split` is an attribute before opset 13 and an operand since; since opset
/// 18 `num_outputs` stands for it, and the last part may then be smaller.
///
/// Channels: along `axis` every part is a section of the operand; the other axes go together. When
/// parts that were equal no longer are, the node gets explicit sizes.
struct Split: Operator {
  let signature = Signature(
    "Split", operands: 1...2, results: 1...Int.max,
    attributes: ["axis": .int(0), "num_outputs": nil, "split": nil])

  /// The extents of the parts, unknown where they cannot be told.
  private func sizes(_ call: Invocation, of whole: Dimension) throws(CompileError) -> [Dimension] {
    let count = call.results.count
    let given = try call.integers(attribute: "split", operand: 1, since: 13)
    if call.opset >= 18, let declared = call.int("num_outputs"), declared != count {
      throw call.malformed("num_outputs is \(declared) for \(count) results")
    }
    switch given {
    case .unknown: return [Dimension](repeating: .unknown, count: count)
    case .absent:
      guard let extent = whole.fixedExtent else {
        return count == 1 ? [whole] : [Dimension](repeating: .unknown, count: count)
      }
      guard let sizes = equalSizes(extent, count, call) else {
        throw call.malformed("an extent of \(extent) does not split into \(count) parts")
      }
      return sizes.map { .fixed($0) }
    case .known(let sizes):
      guard sizes.count == count else {
        throw call.malformed("\(sizes.count) sizes are given for \(count) results")
      }
      guard sizes.allSatisfy({ $0 >= 0 }) else { throw call.malformed("a size is negative") }
      let total = try Dimension.sum(sizes.map { .fixed($0) }, call).fixedExtent!
      if let extent = whole.fixedExtent, extent != total {
        throw call.malformed("the sizes add up to \(total) instead of \(extent)")
      }
      return sizes.map { .fixed($0) }
    }
  }

  /// The sizes of a split without sizes; `nil` where it is not possible.
  private func equalSizes(_ extent: Int, _ count: Int, _ call: Invocation) -> [Int]? {
    guard count > 0 else { return nil }
    let quotient = extent / count
    if extent % count == 0 { return [Int](repeating: quotient, count: count) }
    let last = extent - (quotient + 1) * (count - 1)
    guard call.opset >= 18, call.has("num_outputs"), last >= 0 else { return nil }
    return [Int](repeating: quotient + 1, count: count - 1) + [last]
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    var axis = try call.requiredInt("axis")
    guard let input = call.shape(0) else {
      return [ValueFacts](repeating: ValueFacts(type, nil), count: call.results.count)
    }
    axis = try call.normalizedAxis(axis, rank: input.count)
    return try sizes(call, of: input[axis]).enumerated().map { index, size in
      var shape = input
      shape[axis] = size
      let contents = movedContents(call, of: 0..<1, to: shape, result: index)
      return ValueFacts(type, shape, contents: contents)
    }
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0),
      let axis = try? call.normalizedAxis(call.requiredInt("axis"), rank: input.count),
      let given = try? call.integers(attribute: "split", operand: 1, since: 13)
    else { return }
    for index in input.indices where index != axis {
      for result in call.results.indices {
        relations.equal(.operand(0, axis: index), .result(result, axis: index))
      }
    }
    if case .unknown = given {
      relations.pin(.operand(0, axis: axis), because: "the sizes of the parts are not constant")
      return
    }
    var start = 0
    for (index, result) in call.results.enumerated() {
      guard let shape = result.shape, shape.count == input.count,
        let extent = shape[axis].fixedExtent
      else {
        return relations.pin(.operand(0, axis: axis), because: "a part's extent is not known")
      }
      // A part without elements is no part of any channel.
      guard extent > 0 else { continue }
      relations.section(.result(index, axis: axis), of: .operand(0, axis: axis), start: start)
      start += extent
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let input = call.shape(0) else { return [] }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: input.count)
    guard cut[.operand(0, axis: axis)] != nil else { return [] }
    var sizes: [Int] = []
    for (index, result) in call.results.enumerated() {
      guard
        let size = cut[.result(index, axis: axis)]?.count ?? result.shape?[axis].fixedExtent
      else { return [] }
      sizes.append(size)
    }
    let given = try call.integers(attribute: "split", operand: 1, since: 13)
    if case .absent = given, equalSizes(sizes.reduce(0, +), sizes.count, call) == sizes {
      return []
    }
    let explicit = call.adaptation(sizes, attribute: "split", operand: 1, since: 13)
    return call.has("num_outputs") ? [explicit, .removeAttribute("num_outputs")] : [explicit]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let input = try call.tensor(0, of: operands)
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: input.rank)
    var start = 0
    return resolved.results.map { result in
      let size = result.fixedShape![axis]
      defer { start += size }
      return input.slice(start..<(start + size), alongAxis: axis)
    }
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Split: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let input = call.shape(0)!.map { $0.fixedExtent! }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: input.count)
    var start = 0
    let views = call.results.map { result -> [ViewStep] in
      var selections = input.map { ViewStep.Selection(start: 0, step: 1, count: $0) }
      let size = result.fixedShape![axis]
      selections[axis] = ViewStep.Selection(start: start, step: 1, count: size)
      start += size
      return [.select(selections)]
    }
    return .views(views)
  }
}
