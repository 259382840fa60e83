import PassKit

/// Expresses masks by standard operators, so that any runtime can execute the masked graph.
///
///     y = ai.prunec.Mask <axis, keep> (x)   =>   y = Mul(x, m)
///
/// with `m` one at the kept indices of the axis and zero elsewhere. A mask that preserves moments
/// (see `Mask`) becomes, with k kept indices, `c` its pattern at the removed ones, and sums over the axis:
///
///     mean = Sum(x m) / k;  d = (x - mean) m;  y = d + mean + Sqrt(Sum(d d) / k) c
///
/// Legal where the operand's rank and its extent along the axis are known, and its element type is a
/// floating point type.
public struct LowerMasks: Pass {
  public static let name = "lower-masks"
  public static let summary = "express masks by standard operators"
  public static let effect = Effect.preserving(tolerance: 1e-5)

  public init(options: inout OptionReader) throws(CompileError) {}

  private struct Match {
    let node: NodeID
    let type: TensorType
    let axis: Int
    let keep: [Int]
    let fill: Mask.Fill
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for match in graph.nodes.compactMap({ find($0, graph, facts) }) { perform(match, &graph) }
    graph.dropMaskImport()
  }

  private func find(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Match? {
    guard graph[id].operation.isMask, let (_, call) = facts.invocation(of: id),
      let type = call.operand(0)?.type, type.elementType?.isFloatingPoint == true,
      let rank = type.shape?.count,
      let axis = try? call.normalizedAxis(call.int("axis")!, rank: rank),
      type.shape![axis].fixedExtent != nil
    else { return nil }
    return Match(
      node: id, type: type, axis: axis, keep: call.ints("keep")!,
      fill: Mask.Fill(rawValue: call.string("fill")!)!)
  }

  private func perform(_ match: Match, _ graph: inout Graph) {
    // The builder takes the graph over: two holders of one would copy it at the first change.
    var builder = Builder(match, graph)
    graph = Graph(name: "", opsetImports: [])
    let result: ValueID
    switch match.fill {
    case .zero:
      result = builder.add("Mul", [builder.operand, builder.constant("mask", builder.mask)])
    case .moments: result = builder.addMoments()
    }
    graph = builder.graph
    graph.replaceAllUses(of: graph[match.node].outputs[0]!, with: result)
    graph.erase(match.node)
  }

  /// Adds nodes before the mask that they replace.
  private struct Builder {
    var graph: Graph
    let match: Match
    let stem: String

    init(_ match: Match, _ graph: Graph) {
      self.match = match
      self.graph = graph
      stem = graph[graph[match.node].outputs[0]!].name
    }

    /// What is masked. It may be a mask itself, which has been expressed before.
    var operand: ValueID { graph[match.node].inputs[0]! }

    var extent: Int { match.type.shape![match.axis].fixedExtent! }

    var mask: [Float] {
      let kept = Set(match.keep)
      return (0..<extent).map { kept.contains($0) ? 1 : 0 }
    }

    /// A constant along the mask's axis.
    mutating func constant(_ suffix: String, _ elements: [Float]) -> ValueID {
      let axesAfter = match.type.shape!.count - match.axis - 1
      let shape = [elements.count] + [Int](repeating: 1, count: axesAfter)
      let tensor = Tensor(rounding: elements, to: match.type.elementType!, shape: shape)
      return graph.addInitializer(name: graph.uniqueName("\(stem).\(suffix)"), tensor)
    }

    mutating func scalar(_ suffix: String, _ value: Float) -> ValueID {
      let tensor = Tensor(rounding: [value], to: match.type.elementType!, shape: [])
      return graph.addInitializer(name: graph.uniqueName("\(stem).\(suffix)"), tensor)
    }

    mutating func add(
      _ type: String, _ inputs: [ValueID], attributes: [Attribute] = []
    ) -> ValueID {
      let name = graph.uniqueName("\(stem).\(type)")
      let node = graph.insert(
        OperationName(type), name: name, inputs: inputs, outputs: [(name, nil)],
        attributes: attributes, at: .before(match.node))
      return graph[node].outputs[0]!
    }

    mutating func sum(_ value: ValueID) -> ValueID {
      // The axes moved from an attribute to an operand in opset 13.
      if graph.opsetVersion(of: "") ?? 13 >= 13 {
        let axes = graph.addInitializer(
          name: graph.uniqueName("\(stem).axes"), Tensor([match.axis]))
        return add("ReduceSum", [value, axes])
      }
      return add("ReduceSum", [value], attributes: [Attribute("axes", [match.axis])])
    }

    mutating func addMoments() -> ValueID {
      let mask = constant("mask", self.mask)
      let share = scalar("share", 1 / Float(match.keep.count))
      let pattern = constant("pattern", Mask.pattern(extent: extent, keep: match.keep))
      let masked = add("Mul", [operand, mask])
      let mean = add("Mul", [sum(masked), share])
      let shifted = add("Sub", [operand, mean])
      let deviation = add("Mul", [shifted, mask])
      let square = add("Mul", [deviation, deviation])
      let variance = add("Mul", [sum(square), share])
      let filling = add("Mul", [add("Sqrt", [variance]), pattern])
      return add("Add", [add("Add", [deviation, mean]), filling])
    }
  }
}
