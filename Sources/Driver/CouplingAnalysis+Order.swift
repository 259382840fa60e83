import PrunecCoupling
import PrunecGraphIR

extension CouplingAnalysis {
  /// The indices of all groups in the order in which `graph` executes the layers that they are named for, which is how users know
  /// their model.
  func groupsInOrder(of graph: Graph) -> [Int] {
    var places: [String: Int] = [:]
    for (place, node) in graph.nodes.enumerated() {
      if case .node(let name, _) = graph.location(of: node) { places[name] = places[name] ?? place }
    }
    return groups.indices.sorted {
      (places[groups[$0].name] ?? .max, $0) < (places[groups[$1].name] ?? .max, $1)
    }
  }
}
