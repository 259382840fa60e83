import PrunecGraphIR
import PrunecOperators

extension Graph {
  /// For each side of a Merge, in order of execution, the nodes that nothing else needs.
  func branches(of merge: NodeID) -> [[NodeID]] {
    let count = self[merge].outputs.count
    var sides: [NodeID: Int] = [:]
    func side(_ use: Use) -> Int? {
      guard let user = use.node else { return nil }
      if user != merge { return sides[user] }
      guard case .operand(_, let index) = use, index > 0 else { return nil }
      return index <= count ? 0 : 1
    }
    var branches: [[NodeID]] = [[], []]
    for id in Array(nodes.prefix { $0 != merge }).reversed() {
      let uses = self[id].outputs.compactMap { $0 }.flatMap { self[$0].uses }
      guard let first = uses.first, let own = side(first),
        uses.dropFirst().allSatisfy({ side($0) == own })
      else { continue }
      sides[id] = own
      branches[own].append(id)
    }
    return branches.map { $0.reversed() }
  }

  /// The nodes of which some side of a Merge alone needs what they make.
  var branchNodes: Set<NodeID> {
    nodes.reduce(into: []) { found, id in
      if self[id].operation == Merge.operation { found.formUnion(branches(of: id).joined()) }
    }
  }

  /// The graph without what cannot be computed for the shapes that `facts` are about: a Merge takes the other side.
  package func withoutUnreachable(_ facts: GraphFacts) -> Graph {
    var graph = self
    for id in nodes where self[id].operation == Merge.operation {
      for (index, input) in facts.reachableOperands(ofMerge: id).enumerated() {
        if input != self[id].inputs[index] { graph.setInput(index, of: id, to: input) }
      }
    }
    for id in nodesReversed where !facts.isReachable(id) { graph.erase(id) }
    return graph
  }
}
