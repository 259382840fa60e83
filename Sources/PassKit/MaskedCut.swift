import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// A graph's masks taken out of it together with the channels that they mask.
package struct MaskedCut {
  /// The Mask nodes, in order of execution.
  package let masks: [NodeID]
  package let cut: GraphCut

  /// The channels of the groups `whole` stay. Throws an unsupported error where masks leave out what cannot be removed, or an
  /// operator cannot follow.
  package init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, whole: Set<Int> = []
  ) throws(CompileError) {
    let masked = try MaskedChannels(in: graph, facts, coupling)
    masks = masked.masks
    let removed = masked.removed.filter { !whole.contains($0.key) }
    cut = try GraphCut(graph, facts, keeping: coupling.keptIndices(removing: removed))
  }

  /// Removes the masks, then the channels.
  package func perform(on graph: inout Graph) {
    for id in masks {
      graph.replaceAllUses(of: graph[id].outputs[0]!, with: graph[id].inputs[0]!)
      graph.erase(id)
    }
    graph.dropOwnOperators()
    cut.perform(on: &graph)
  }
}
