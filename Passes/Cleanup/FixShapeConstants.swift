import PassKit

/// Makes the shapes that nodes are given constant, as far as inference knows them.
///
///     n = Gather(Shape(x), 0)                  t = [0, 50, 4, 24]
///     t = Concat(n, [50], [4], [-1])      =>   y = Reshape(x, t)
///     y = Reshape(x, t)
///
///     t = Concat([1], n, [24])            =>   z = ConstantOfShape([1, 1, 24])
///     y = ConstantOfShape(t)                   y = Expand(z, Concat([1], n, [1]))
///
/// The coupling can only cut what a Reshape splits or merges when it knows the factors, and the
/// shape arithmetic that exporters emit for a dynamic batch dies with the old target. The shapes of
/// Expand and ConstantOfShape (initial states of recurrent layers, mostly) come apart into a constant,
/// which can be rewritten when an axis is cut, and what asks for nothing where it is known.
///
/// A Reshape's target: legal where
/// 1. the result's rank is known and no extent is zero (a zero would be read as "copy");
/// 2. every extent of the result is a number, or is by name the extent of the operand's axis at the
///    same place (written 0), except for at most one (written -1);
/// 3. `allowzero` is not set, or no 0 is written.
///
/// The shape of an Expand or ConstantOfShape: stretching in two steps is stretching in one, so always;
/// worth it where an entry is known and not one, and another is not known.
public struct FixShapeConstants: Pass {
  public static let name = "fix-shape-constants"
  public static let summary = "make computed shapes constant, as far as they are known"
  public static let effect = Effect.preserving(tolerance: 0)

  public init(options: inout OptionReader) throws(CompileError) {}

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for id in Array(graph.nodes) {
      if let target = constantTarget(of: id, graph, facts) {
        let constant = addVector(target, like: graph[id].inputs[1]!, &graph)
        graph.setInput(1, of: id, to: constant)
      } else if let stretch = stretch(by: id, graph, facts) {
        perform(stretch, graph: &graph)
      }
    }
  }

  private func addVector(_ elements: [Int], like value: ValueID, _ graph: inout Graph) -> ValueID {
    let name = graph[value].name + ".constant"
    return graph.addInitializer(name: graph.uniqueName(name), Tensor(elements))
  }

  // MARK: Reshape

  private func constantTarget(of id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> [Int]? {
    let node = graph[id]
    guard node.operation == OperationName("Reshape"), let (_, call) = facts.invocation(of: id),
      call.operand(1)?.constant == nil, let result = call.results[0].shape,
      let operand = call.shape(0), !result.isEmpty
    else { return nil }
    var target: [Int] = []
    var isDeduced = false
    for (axis, dimension) in result.enumerated() {
      switch dimension.extent {
      case .fixed(let extent):
        guard extent > 0 else { return nil }
        target.append(extent)
      case .symbol where axis < operand.count && operand[axis].extent == dimension.extent:
        guard
          !node.attributes.contains(where: { $0.name == "allowzero" }) || call.int("allowzero") == 0
        else { return nil }
        target.append(0)
      default:
        guard !isDeduced else { return nil }
        isDeduced = true
        target.append(-1)
      }
    }
    return target
  }

  // MARK: Expand and ConstantOfShape

  /// A node that is given a shape of which some entries are known.
  private struct Stretch {
    let node: NodeID
    /// Index of the operand that is the shape, and the shape itself.
    let operand: Int
    let shape: ValueID
    /// The entries that are known.
    let entries: [Int?]
    /// Values that are single entries, by place, where a Concat puts the shape together.
    let parts: [Int: ValueID]
    /// Whether the node has to make the known entries; an Expand's operand may have them already.
    let makesExtents: Bool
  }

  private func stretch(by id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Stretch? {
    let node = graph[id]
    guard let (_, call) = facts.invocation(of: id) else { return nil }
    let isExpand = node.operation == OperationName("Expand")
    guard isExpand || node.operation == OperationName("ConstantOfShape"),
      let shape = node.inputs[isExpand ? 1 : 0], let rank = call.results[0].shape?.count,
      facts[shape].rank == 1, facts[shape].elementType == .int64
    else { return nil }
    let entries = facts[shape].integers?.map { entry -> Int? in
      if case .fixed(let extent) = entry { extent } else { nil }
    }
    guard let entries, entries.contains(nil), entries.contains(where: { $0 != nil && $0 != 1 })
    else { return nil }
    let own = isExpand ? call.shape(0)?.map(\.fixedExtent) : []
    let offset = rank - entries.count
    let isMade = entries.indices.allSatisfy { index in
      guard let own, let entry = entries[index], entry != 1 else { return own != nil }
      let axis = offset + index - (rank - own.count)
      return axis >= 0 && own[axis] == entry
    }
    return Stretch(
      node: id, operand: isExpand ? 1 : 0, shape: shape, entries: entries,
      parts: parts(of: shape, graph, facts), makesExtents: !isMade)
  }

  private func parts(
    of shape: ValueID, _ graph: Graph, _ facts: GraphFacts
  ) -> [Int: ValueID] {
    guard let maker = graph[shape].definingNode,
      graph[maker].operation == OperationName("Concat")
    else { return [:] }
    var parts: [Int: ValueID] = [:]
    var start = 0
    for operand in graph[maker].inputs.compactMap({ $0 }) {
      guard let length = facts[operand].fixedShape?.first else { break }
      if length == 1 { parts[start] = operand }
      start += length
    }
    return parts
  }

  private func perform(_ stretch: Stretch, graph: inout Graph) {
    let rest = addRest(of: stretch, &graph)
    guard stretch.makesExtents else {
      graph.setInput(stretch.operand, of: stretch.node, to: rest)
      return
    }
    let result = graph[stretch.node].outputs[0]!
    let name = graph.uniqueName(graph[result].name + ".stretched")
    let expand = graph.insert(
      OperationName("Expand"), name: name, inputs: [nil, rest],
      outputs: [(name, graph[result].type)], at: .after(stretch.node))
    graph.replaceAllUses(of: result, with: graph[expand].outputs[0]!)
    graph.setInput(0, of: expand, to: result)
    graph.setType(of: result, to: nil)
    let known = addVector(stretch.entries.map { $0 ?? 1 }, like: stretch.shape, &graph)
    graph.setInput(stretch.operand, of: stretch.node, to: known)
  }

  /// The shape with ones for what is known of it.
  private func addRest(of stretch: Stretch, _ graph: inout Graph) -> ValueID {
    let (entries, stem) = (stretch.entries, graph[stretch.shape].name)
    var pieces: [ValueID] = []
    var start = 0
    while start < entries.count {
      let isKnown = entries[start] != nil
      let end = entries[start...].firstIndex { ($0 != nil) != isKnown } ?? entries.count
      let parts = (start..<end).compactMap { stretch.parts[$0] }
      if isKnown {
        let ones = [Int](repeating: 1, count: end - start)
        pieces.append(addVector(ones, like: stretch.shape, &graph))
      } else if parts.count == end - start {
        pieces += parts
      } else {
        let indices = addVector(Array(start..<end), like: stretch.shape, &graph)
        pieces.append(
          add("Gather", [stretch.shape, indices], to: stem + ".open", before: stretch.node, &graph))
      }
      start = end
    }
    return add("Concat", pieces, to: stem + ".rest", before: stretch.node, &graph)
  }

  private func add(
    _ type: String, _ inputs: [ValueID], to stem: String, before node: NodeID,
    _ graph: inout Graph
  ) -> ValueID {
    let name = graph.uniqueName(stem)
    let new = graph.insert(
      OperationName(type), name: name, inputs: inputs, outputs: [(name, nil)],
      attributes: [Attribute("axis", 0)], at: .before(node))
    return graph[new].outputs[0]!
  }
}
