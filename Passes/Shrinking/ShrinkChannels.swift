import PassKit

/// Takes masked channels out of the graph: weights are sliced, attributes and shape constants follow,
/// and the masks go.
///
///     y = Conv(x, W)                                         y = Conv(x, W[keep])
///     m = ai.prunec.Mask <axis = 1, keep = [0, 2]> (y)  =>   z = Conv(y, V[:, keep])
///     z = Conv(m, V)
///
/// Legal where
/// 1. every masked index belongs to a group of channels that may be cut and of which one stays; with
///    it goes the whole channel, wherever it lies;
/// 2. every node that sums or normalises over a cut axis of computed data, or of a coefficient, reads it
///    through a mask that leaves out exactly the cut indices, with the fill that its kind of node needs;
/// 3. every operator says how its attributes and constants follow.
/// Afterwards inference runs on the result, and every axis must have the extent foreseen.
public struct ShrinkChannels: Pass {
  public static let name = "shrink-channels"
  public static let summary = "take masked channels out of the graph"
  public static let effect = Effect.shrinking

  public init(options: inout OptionReader) throws(CompileError) {}

  private struct Plan {
    let masks: [NodeID]
    let kept: [Axis: [Int]]
    let adaptations: [(node: NodeID, changes: [Adaptation])]
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    let plan = try find(graph, facts, coupling)
    context.maskedGraph = graph
    perform(plan, facts, &graph)
    try verify(graph, try context.facts(of: graph), plan, before: facts)
    context.shrinkage = context.shrinkage ?? Shrinkage(keptIndices: [:])
    context.shrinkage!.append(plan.kept)
    context.scores?.keep(plan.kept)
  }

  // MARK: Find

  private func find(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis
  ) throws(CompileError) -> Plan {
    let masked = try MaskedChannels(in: graph, facts, coupling)
    let kept = coupling.keptIndices(removing: masked.removed)
    for place in MaskPlace.all(in: graph, facts, kept) {
      guard isMasked(place, graph, facts, kept) else {
        throw CompileError(
          .unsupported,
          "reads channels that are to be removed without masking them",
          at: graph.location(of: place.node)
        )
      }
    }
    var adaptations: [(node: NodeID, changes: [Adaptation])] = []
    for id in graph.nodes where !graph[id].operation.isMask {
      let cut = Self.cut(at: id, graph, facts, kept)
      guard !cut.kept.isEmpty, let (found, call) = facts.invocation(of: id) else { continue }
      let changes = try found.adapt(call, to: cut)
      if !changes.isEmpty { adaptations.append((id, changes)) }
    }
    return Plan(masks: masked.masks, kept: kept, adaptations: adaptations)
  }

  private func isMasked(
    _ place: MaskPlace, _ graph: Graph, _ facts: GraphFacts, _ kept: [Axis: [Int]]
  ) -> Bool {
    // Masks along several axes stand one on the other.
    var value = place.key.axis.value
    while let node = graph[value].definingNode, let mask = MaskNode(node, graph, facts) {
      if mask.axis.index == place.key.axis.index {
        return mask.fill == place.key.fill && mask.blocks == place.key.blocks
          && mask.keep == kept[place.key.axis]
      }
      value = mask.axis.value
    }
    return false
  }

  private static func cut(
    at id: NodeID, _ graph: Graph, _ facts: GraphFacts, _ kept: [Axis: [Int]]
  ) -> Cut {
    var cut: [AxisReference: [Int]] = [:]
    func collect(_ values: [ValueID?], _ reference: (Int, Int) -> AxisReference) {
      for (index, value) in values.enumerated() {
        guard let value else { continue }
        for axis in 0..<(facts[value].rank ?? 0) {
          if let indices = kept[Axis(value, axis)] { cut[reference(index, axis)] = indices }
        }
      }
    }
    collect(graph[id].inputs) { .operand($0, axis: $1) }
    collect(graph[id].outputs) { .result($0, axis: $1) }
    return Cut(cut)
  }

  // MARK: Perform

  private func perform(_ plan: Plan, _ facts: GraphFacts, _ graph: inout Graph) {
    for id in plan.masks {
      graph.replaceAllUses(of: graph[id].outputs[0]!, with: graph[id].inputs[0]!)
      graph.erase(id)
    }
    graph.dropMaskImport()
    for axis in plan.kept.keys.sorted() {
      guard let value = graph.value(axis.value) else { continue }
      let indices = plan.kept[axis]!
      if let tensor = value.constant {
        graph.setTensor(of: axis.value, to: tensor.lazilyKeeping(indices, alongAxis: axis.index))
      } else if var type = value.tensorType, type.shape?.indices.contains(axis.index) == true {
        // A stale declaration may have fewer axes than the value; it stays as wrong as it was.
        type.shape![axis.index].extent = .fixed(indices.count)
        graph.setType(of: axis.value, to: ValueType(.tensor(type)))
      }
    }
    for (node, changes) in plan.adaptations {
      for change in changes { apply(change, to: node, facts, &graph) }
    }
  }

  private func apply(
    _ change: Adaptation, to node: NodeID, _ facts: GraphFacts, _ graph: inout Graph
  ) {
    switch change {
    case .attribute(let attribute): graph.setAttribute(attribute, of: node)
    case .removeAttribute(let name): graph.removeAttribute(name, of: node)
    case .elements(let index, let numbers):
      graph.replaceElements(numbers, ofOperand: index, of: node, facts)
    case .operand(let index, let tensor):
      if index < graph[node].inputs.count, let old = graph[node].inputs[index],
        graph[old].uses.count == 1, graph[old].constant != nil
      {
        graph.setTensor(of: old, to: tensor)
        return
      }
      let old = index < graph[node].inputs.count ? graph[node].inputs[index] : nil
      let stem = graph[old ?? graph[node].outputs.lazy.compactMap { $0 }.first!].name
      let name = graph.uniqueName(stem + ".shrunk")
      graph.setInput(index, of: node, to: graph.addInitializer(name: name, tensor))
    }
  }

  // MARK: Verify

  private func verify(
    _ graph: Graph, _ facts: GraphFacts, _ plan: Plan, before: GraphFacts
  ) throws(CompileError) {
    // Constants that operators asked for, such as a Gather's indices, are as long as they made them.
    let adapted = Set(
      plan.adaptations.flatMap { node, changes in
        changes.compactMap { change -> ValueID? in
          guard case .operand(let index, _) = change else { return nil }
          return graph[node].inputs[index]
        }
      })
    for id in graph.valueIDs where !adapted.contains(id) {
      guard let shape = facts[id].shape else { continue }
      for (axis, dimension) in shape.enumerated() {
        let expected: Dimension.Extent? =
          if let kept = plan.kept[Axis(id, axis)] { .fixed(kept.count) } else {
            // Values made while shrinking have no facts from before.
            Int(id.rawValue) < before.valueCount ? before[id].shape?[axis].extent : nil
          }
        guard let fixed = dimension.fixedExtent, case .fixed(let foreseen)? = expected,
          fixed != foreseen
        else { continue }
        throw CompileError(
          .checkFailed, "axis \(axis) has extent \(fixed) after shrinking, not \(foreseen)",
          at: .value(graph[id].name))
      }
    }
  }
}
