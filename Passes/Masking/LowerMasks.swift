import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Expresses masks by standard operators, so that any runtime can execute the masked graph.
///
///     m = ai.prunec.Mask <axis, keep, fill> (x)   =>   m = Where(kept, x, filling)
///
/// with `kept` true at the kept indices of the axis. The filling is a number, or the mean of the kept
/// elements or, to preserve moments (see `Mask`), with the pattern c,
///
///     mean = Average(x);  d = x - mean;  filling = mean + Sqrt(Average(d d)) c
///
/// `Average` is a sum over the kept elements, the others being zero, times `1 / k`; where the axis has blocks, a product with a
/// matrix that averages each. Before opset 9, which brought Where, masks are arithmetic:
/// `x kept + filling (1 - kept)`, and an infinite element that is masked makes no number of an average.
///
/// A mask of a constant becomes a constant: the weights of recurrent layers and of integer layers are
/// masked themselves.
///
/// Legal where the operand's rank and its extent along the axis are known, and its element type is a
/// floating point type, or an integer type from opset 9 on.
package struct LowerMasks: Pass {
  package static let name = "lower-masks"
  package static let summary = "express masks by standard operators"
  package static let effect = Effect.preserving(tolerance: 1e-5)

  package init(options: inout OptionReader) throws(CompileError) {}

  fileprivate struct Match {
    let mask: MaskNode
    let elementType: ElementType
    let rank: Int
    let extent: Int

    /// A constant along the mask's axis.
    func constant(_ elements: [Float]) -> Tensor {
      Tensor(rounding: elements, to: elementType, shape: shape)
    }

    /// The shape of such a constant.
    var shape: [Int] { [extent] + [Int](repeating: 1, count: rank - mask.axis.index - 1) }

    /// For each index, whether it is kept.
    var isKept: [Bool] {
      let kept = Set(mask.keep)
      return (0..<extent).map(kept.contains)
    }
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for match in graph.nodes.compactMap({ find($0, graph, facts) }) {
      if let tensor = maskedConstant(match, graph, facts) {
        let result = graph[match.mask.node].outputs[0]!
        let constant = graph.build(before: match.mask.node) {
          $0.addConstant(tensor, "constant")
        }
        graph.replaceAllUses(of: result, with: constant)
      } else {
        perform(match, &graph)
      }
      graph.erase(match.mask.node)
    }
    graph.dropOwnOperators()
  }

  private func find(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Match? {
    guard let mask = MaskNode(id, graph, facts), let type = facts[mask.axis.value].type,
      let elementType = type.elementType, let shape = type.shape,
      let extent = shape[mask.axis.index].fixedExtent,
      elementType.isFloatingPoint
        || elementType.isInteger && graph.opsetVersion(of: "") ?? 13 >= 9
    else { return nil }
    return Match(mask: mask, elementType: elementType, rank: shape.count, extent: extent)
  }

  /// What becomes of a constant by the mask.
  private func maskedConstant(_ match: Match, _ graph: Graph, _ facts: GraphFacts) -> Tensor? {
    // As it is now: the operand that the mask was found with may have been a mask, and lowered.
    guard let constant = graph[graph[match.mask.node].inputs[0]!].constant, constant.hasData,
      let (found, call) = facts.invocation(of: match.mask.node)
    else { return nil }
    return try? found.evaluate(call, [constant]).first
  }

  private func perform(_ match: Match, _ graph: inout Graph) {
    // As it is now: the operand that the mask was found with may have been a mask, and lowered.
    let node = graph[match.mask.node]
    var lowering = MaskLowering(
      match, x: node.inputs[0]!, opset: graph.opsetVersion(of: "") ?? 13)
    let result = graph.build(before: match.mask.node) { lowering.lower(&$0) }
    graph.replaceAllUses(of: node.outputs[0]!, with: result)
  }
}

/// Builds the nodes that compute what a mask does.
private struct MaskLowering {
  private let match: LowerMasks.Match
  private let x: ValueID
  private let opset: Int
  private var sharedConstants: [String: ValueID] = [:]

  init(_ match: LowerMasks.Match, x: ValueID, opset: Int) {
    self.match = match
    self.x = x
    self.opset = opset
  }

  mutating func lower(_ build: inout GraphBuilder) -> ValueID {
    guard opset >= 9 else { return lowerArithmetically(&build) }
    let filling =
      match.mask.fill.constant.map { build.addConstant(scalar($0), "fill") }
      ?? computedFilling(&build)
    return build.add("Where", [condition(&build), x, filling])
  }

  private mutating func lowerArithmetically(_ build: inout GraphBuilder) -> ValueID {
    let kept = match.isKept
    let ones = build.addConstant(match.constant(kept.map { $0 ? 1 : 0 }), "kept")
    switch match.mask.fill.constant {
    case 0: return build.add("Mul", [x, ones])
    case let constant?:
      // Not a product: infinity times zero is no number.
      let rest = build.addConstant(match.constant(kept.map { $0 ? 0 : constant }), "fill")
      return build.add("Add", [build.add("Mul", [x, ones]), rest])
    case nil:
      let filling = computedFilling(&build)
      let rest = build.addConstant(match.constant(kept.map { $0 ? 0 : 1 }), "removed")
      return build.add("Add", [build.add("Mul", [x, ones]), build.add("Mul", [filling, rest])])
    }
  }

  /// The filling that depends on the kept elements.
  private mutating func computedFilling(_ build: inout GraphBuilder) -> ValueID {
    let mean = average(of: x, &build)
    guard match.mask.fill == .moments else { return mean }
    let deviation = build.add("Sub", [x, mean])
    let variance = average(of: build.add("Mul", [deviation, deviation]), &build)
    let pattern = Mask.pattern(
      extent: match.extent, keep: match.mask.keep, blocks: match.mask.blocks)
    let deviations = build.add("Sqrt", [variance])
    let spread = build.add(
      "Mul", [deviations, build.addConstant(match.constant(pattern), "pattern")])
    return build.add("Add", [mean, spread])
  }

  /// The average of the kept elements of `value`.
  private mutating func average(of value: ValueID, _ build: inout GraphBuilder) -> ValueID {
    guard match.mask.blocks == 1 else { return averageOfBlocks(value, &build) }
    let share = 1 / Float(match.mask.keep.count)
    guard opset >= 9 else {
      let shares = shared("shares", match.constant(match.isKept.map { $0 ? share : 0 }), &build)
      return sum(build.add("Mul", [value, shares]), &build)
    }
    // Not a product with zeros: infinity times zero is no number.
    let sum = sum(keptOnly(value, &build), &build)
    return build.add("Mul", [sum, shared("share", scalar(share), &build)])
  }

  private mutating func sum(_ value: ValueID, _ build: inout GraphBuilder) -> ValueID {
    // The axes moved from an attribute to an operand in opset 13.
    guard opset >= 13 else {
      return build.add("ReduceSum", [value], [Attribute("axes", [match.mask.axis.index])])
    }
    let axes = shared("axes", Tensor([match.mask.axis.index]), &build)
    return build.add("ReduceSum", [value, axes])
  }

  /// The value with zeros for all that is not kept, from opset 9 on.
  private mutating func keptOnly(_ value: ValueID, _ build: inout GraphBuilder) -> ValueID {
    guard opset >= 9 else { return value }
    let zero = shared("zero", scalar(0), &build)
    return build.add("Where", [condition(&build), value, zero])
  }

  /// For each index of the axis, whether it is kept.
  private mutating func condition(_ build: inout GraphBuilder) -> ValueID {
    let elements = match.isKept.map { $0 ? 1 : 0 as UInt8 }
    return shared("kept", Tensor(.bool, shape: match.shape, elements: elements), &build)
  }

  private mutating func averageOfBlocks(_ value: ValueID, _ build: inout GraphBuilder) -> ValueID {
    let (extent, kept) = (match.extent, match.isKept)
    var matrix = [Float](repeating: 0, count: extent * extent)
    for block in Mask.blocks(extent, match.mask.blocks) {
      let members = block.filter { kept[$0] }
      for row in members {
        for column in block { matrix[row * extent + column] = 1 / Float(members.count) }
      }
    }
    let averaging = shared(
      "average", Tensor(rounding: matrix, to: match.elementType, shape: [extent, extent]), &build)
    // The axis changes places with the last one; the same permutation brings it back.
    var permutation = Array(0..<match.rank)
    permutation.swapAt(match.mask.axis.index, match.rank - 1)
    let value = keptOnly(value, &build)
    guard match.mask.axis.index != match.rank - 1 else {
      return build.add("MatMul", [value, averaging])
    }
    let swap = [Attribute("perm", permutation)]
    let product = build.add("MatMul", [build.add("Transpose", [value], swap), averaging])
    return build.add("Transpose", [product], swap)
  }

  // MARK: Pieces

  /// A constant that both averages of one lowering use.
  private mutating func shared(
    _ suffix: String, _ tensor: Tensor, _ build: inout GraphBuilder
  ) -> ValueID {
    if let known = sharedConstants[suffix] { return known }
    let constant = build.addConstant(tensor, suffix)
    sharedConstants[suffix] = constant
    return constant
  }

  /// A number of the masked value's type; the integer that stands for zero where that is an integer.
  private func scalar(_ value: Float) -> Tensor {
    match.elementType.isFloatingPoint
      ? Tensor(rounding: [value], to: match.elementType, shape: [])
      : Tensor(wrapping: [match.mask.zero], to: match.elementType, shape: [])
  }
}
