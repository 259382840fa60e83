import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// A graph taken apart as runtimes fuse it: each layer with the operations behind it that keep the shape of its result, such
/// as normalizations, activations and residual additions.
///
/// A node without multiplications joins the part of the operand that is computed last, if its own result has the shape of that
/// one. What is known without running the model belongs to no part.
struct ModelParts {
  /// The nodes of each part, in order of execution.
  private(set) var nodes: [[NodeID]] = []

  init(_ graph: Graph, _ facts: GraphFacts) {
    var partOfValue: [ValueID: Int] = [:]
    for id in graph.nodes {
      let results = graph[id].outputs.compactMap { $0 }
      guard results.contains(where: { !facts.isFixed($0) && facts[$0].knownTensor == nil }) else {
        continue
      }
      let part = Self.host(of: id, graph, facts, partOfValue) ?? nodes.count
      if part == nodes.count { nodes.append([]) }
      nodes[part].append(id)
      for result in results { partOfValue[result] = part }
    }
  }

  /// The part that a node joins.
  private static func host(
    of id: NodeID, _ graph: Graph, _ facts: GraphFacts, _ partOfValue: [ValueID: Int]
  ) -> Int? {
    guard let (found, call) = facts.invocation(of: id), found.macs(call) == 0,
      let result = graph[id].outputs.first ?? nil, let shape = facts[result].fixedShape
    else { return nil }
    let computed = graph[id].inputs.compactMap { $0 }.filter { partOfValue[$0] != nil }
    let last = computed.max { partOfValue[$0]! < partOfValue[$1]! }
    return last.flatMap { facts[$0].fixedShape == shape ? partOfValue[$0] : nil }
  }

  /// The results of a part that something else uses.
  static func outputs(of nodes: [NodeID], in graph: Graph) -> [ValueID] {
    let own = Set(nodes)
    return nodes.flatMap { graph[$0].outputs.compactMap { $0 } }.filter { value in
      graph[value].uses.contains { $0.node.map { !own.contains($0) } ?? true }
    }
  }
}
