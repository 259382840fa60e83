import PassKit

/// Expresses masks by standard operators, so that any runtime can execute the masked graph.
///
///     m = ai.prunec.Mask <axis, keep, fill> (x)   =>   m = Where(kept, x, filling)
///
/// with `kept` true at the kept indices of the axis. The filling is a number, or the mean of the kept
/// elements or, to preserve moments (see `Mask`), with the pattern c,
///
///     mean = Average(x);  d = x - mean;  filling = mean + Sqrt(Average(d d)) c
///
/// `Average` is a sum over the kept elements times `1 / k`; where the axis has blocks, a product with a
/// matrix that averages each. Before opset 9, which brought Where, masks are arithmetic:
/// `x kept + filling (1 - kept)`.
///
/// A mask of a constant becomes a constant: the weights of recurrent layers and of integer layers are
/// masked themselves.
///
/// Legal where the operand's rank and its extent along the axis are known, and its element type is a
/// floating point type, or an integer type from opset 9 on.
public struct LowerMasks: Pass {
  public static let name = "lower-masks"
  public static let summary = "express masks by standard operators"
  public static let effect = Effect.preserving(tolerance: 1e-5)

  public init(options: inout OptionReader) throws(CompileError) {}

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

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for match in graph.nodes.compactMap({ find($0, graph, facts) }) {
      if let tensor = maskedConstant(match, graph, facts) {
        let result = graph[match.mask.node].outputs[0]!
        let name = graph.uniqueName(graph[result].name + ".constant")
        graph.replaceAllUses(of: result, with: graph.addInitializer(name: name, tensor))
        graph.erase(match.mask.node)
      } else {
        perform(match, &graph)
      }
    }
    graph.dropMaskImport()
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
    // The lowering takes the graph over: two holders of one would copy it at the first change.
    var lowering = MaskLowering(match, graph)
    graph = Graph(name: "", opsetImports: [])
    let result = lowering.lower()
    graph = lowering.graph
    graph.replaceAllUses(of: graph[match.mask.node].outputs[0]!, with: result)
    graph.erase(match.mask.node)
  }
}

/// Adds the nodes that compute what a mask does before it.
private struct MaskLowering {
  var graph: Graph
  private let match: LowerMasks.Match
  private let stem: String
  private var sharedInitializers: [String: ValueID] = [:]
  /// As it is now: the operand that the mask was found with may have been a mask, and lowered.
  private var x: ValueID { graph[match.mask.node].inputs[0]! }

  init(_ match: LowerMasks.Match, _ graph: Graph) {
    self.match = match
    self.graph = graph
    stem = graph[graph[match.mask.node].outputs[0]!].name
  }

  private var opset: Int { graph.opsetVersion(of: "") ?? 13 }

  mutating func lower() -> ValueID {
    guard opset >= 9 else { return lowerArithmetically() }
    let kept = match.isKept
    let condition = Tensor(
      .bool, shape: match.shape, elements: kept.map { $0 ? 1 : 0 as UInt8 })
    let filling = match.mask.fill.constant.map { scalar("fill", $0) } ?? computedFilling()
    return add("Where", [initializer("kept", condition), x, filling])
  }

  private mutating func lowerArithmetically() -> ValueID {
    let kept = match.isKept
    let ones = initializer("kept", match.constant(kept.map { $0 ? 1 : 0 }))
    switch match.mask.fill.constant {
    case 0: return add("Mul", [x, ones])
    case let constant?:
      // Not a product: infinity times zero is no number.
      let rest = initializer("fill", match.constant(kept.map { $0 ? 0 : constant }))
      return add("Add", [add("Mul", [x, ones]), rest])
    case nil:
      let filling = computedFilling()
      let rest = initializer("removed", match.constant(kept.map { $0 ? 0 : 1 }))
      return add("Add", [add("Mul", [x, ones]), add("Mul", [filling, rest])])
    }
  }

  /// The filling that depends on the kept elements.
  private mutating func computedFilling() -> ValueID {
    let mean = average(x)
    guard match.mask.fill == .moments else { return mean }
    let deviation = add("Sub", [x, mean])
    let variance = average(add("Mul", [deviation, deviation]))
    let pattern = Mask.pattern(
      extent: match.extent, keep: match.mask.keep, blocks: match.mask.blocks)
    let spread = add(
      "Mul", [add("Sqrt", [variance]), initializer("pattern", match.constant(pattern))])
    return add("Add", [mean, spread])
  }

  /// The average of the kept elements of `value`.
  private mutating func average(_ value: ValueID) -> ValueID {
    guard match.mask.blocks == 1 else { return averageOfBlocks(value) }
    let share = 1 / Float(match.mask.keep.count)
    let shares = shared("shares", match.constant(match.isKept.map { $0 ? share : 0 }))
    let products = add("Mul", [value, shares])
    // The axes moved from an attribute to an operand in opset 13.
    guard opset >= 13 else {
      return add("ReduceSum", [products], [Attribute("axes", [match.mask.axis.index])])
    }
    let axes = shared("axes", Tensor([match.mask.axis.index]))
    return add("ReduceSum", [products, axes])
  }

  private mutating func averageOfBlocks(_ value: ValueID) -> ValueID {
    let (extent, kept) = (match.extent, match.isKept)
    var matrix = [Float](repeating: 0, count: extent * extent)
    for block in Mask.blocks(extent, match.mask.blocks) {
      let members = block.filter { kept[$0] }
      for row in members {
        for column in block { matrix[row * extent + column] = 1 / Float(members.count) }
      }
    }
    let averaging = shared(
      "average", Tensor(rounding: matrix, to: match.elementType, shape: [extent, extent]))
    // The axis changes places with the last one; the same permutation brings it back.
    var permutation = Array(0..<match.rank)
    permutation.swapAt(match.mask.axis.index, match.rank - 1)
    guard match.mask.axis.index != match.rank - 1 else { return add("MatMul", [value, averaging]) }
    let swap = [Attribute("perm", permutation)]
    let product = add("MatMul", [add("Transpose", [value], swap), averaging])
    return add("Transpose", [product], swap)
  }

  // MARK: Pieces

  private mutating func initializer(_ suffix: String, _ tensor: Tensor) -> ValueID {
    graph.addInitializer(name: graph.uniqueName("\(stem).\(suffix)"), tensor)
  }

  /// An initializer that both averages of one lowering use.
  private mutating func shared(_ suffix: String, _ tensor: Tensor) -> ValueID {
    if let known = sharedInitializers[suffix] { return known }
    sharedInitializers[suffix] = initializer(suffix, tensor)
    return sharedInitializers[suffix]!
  }

  private mutating func scalar(_ suffix: String, _ value: Float) -> ValueID {
    let element =
      match.elementType.isFloatingPoint
      ? Tensor(rounding: [value], to: match.elementType, shape: [])
      : Tensor(wrapping: [match.mask.zero], to: match.elementType, shape: [])
    return initializer(suffix, element)
  }

  private mutating func add(
    _ type: String, _ inputs: [ValueID], _ attributes: [Attribute] = []
  ) -> ValueID {
    graph.insert(
      OperationName(type), inputs: inputs, stem: stem, attributes: attributes,
      before: match.mask.node)
  }
}
