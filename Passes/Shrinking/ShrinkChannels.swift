import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics

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
package struct ShrinkChannels: Pass {
  package static let name = "shrink-channels"
  package static let summary = "take masked channels out of the graph"
  package static let effect = Effect.shrinking

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    let plan = try find(graph, facts, coupling)
    context.maskedGraph = graph
    context.uncutGraph = context.uncutGraph ?? graph
    context.shrinkage = context.shrinkage ?? Shrinkage()
    context.shrinkage!.append(plan.cut.kept, of: graph)
    plan.perform(on: &graph)
    try verify(graph, try context.facts(of: graph), plan, before: facts)
    context.keep(plan.cut.kept)
  }

  // MARK: Find

  private func find(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis
  ) throws(CompileError) -> MaskedCut {
    let plan = try MaskedCut(graph, facts, coupling)
    for place in MaskPlace.all(in: graph, facts, plan.cut.kept) {
      guard isMasked(place, graph, facts, plan.cut.kept) else {
        throw CompileError(
          .unsupported,
          "reads channels that are to be removed without masking them",
          at: graph.location(of: place.node)
        )
      }
    }
    return plan
  }

  private func isMasked(
    _ place: MaskPlace, _ graph: Graph, _ facts: GraphFacts, _ kept: [Axis: [Int]]
  ) -> Bool {
    // Masks along several axes stand one on the other.
    var value = place.key.axis.value
    while let node = graph[value].definingNode, let mask = MaskNode(node, graph, facts) {
      if mask.axis.index == place.key.axis.index {
        return mask.fill == place.key.fill && mask.blocks == place.key.blocks
          && mask.zero == place.key.zero
          && mask.keep == kept[place.key.axis]
      }
      value = mask.axis.value
    }
    return false
  }

  // MARK: Verify

  private func verify(
    _ graph: Graph, _ facts: GraphFacts, _ plan: MaskedCut, before: GraphFacts
  ) throws(CompileError) {
    // Constants that operators asked for, such as a Gather's indices, are as long as they made them.
    let adapted = Set(
      plan.cut.adaptations.flatMap { node, changes in
        changes.compactMap { change -> ValueID? in
          guard case .operand(let index, _) = change else { return nil }
          return graph[node].inputs[index]
        }
      })
    for id in graph.valueIDs where !adapted.contains(id) {
      guard let shape = facts[id].shape else { continue }
      for (axis, dimension) in shape.enumerated() {
        let expected: Dimension.Extent? =
          if let kept = plan.cut.kept[Axis(id, axis)] { .fixed(kept.count) } else {
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
