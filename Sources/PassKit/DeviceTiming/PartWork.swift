import PrunecGraphIR
import PrunecSelection
import PrunecSemantics

/// Quantities that take time in the parts of a graph, as functions of the widths of its groups.
struct PartWork {
  private struct Members {
    var nodes: [NodeID]
    /// Computed values that the part reads or writes.
    var activations: [ValueID]
    var weights: [ValueID]
  }

  private let cost: CutCost
  private let members: [Members]

  init(_ parts: ModelParts, _ graph: Graph, _ facts: GraphFacts, _ cost: CutCost) {
    self.cost = cost
    members = parts.nodes.map { nodes in
      let values = nodes.flatMap { graph[$0].inputs + graph[$0].outputs }.compactMap { $0 }
        .uniqued()
      return Members(
        nodes: nodes, activations: values.filter { !facts.isFixed($0) },
        weights: values.filter { facts.isFixed($0) })
    }
  }

  /// For one call: 1, the multiply-accumulate operations, the elements of activations, and those of weights.
  func amounts(of part: Int, keeping kept: [Int]) -> [Double] {
    let own = members[part]
    return [
      1, Double(cost.macs(of: own.nodes, kept)), Double(cost.count(of: own.activations, kept)),
      Double(cost.count(of: own.weights, kept)),
    ]
  }
}
