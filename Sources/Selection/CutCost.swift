/// The cost of a graph as a function of how many channels each group keeps.
public struct CutCost: Sendable {
  /// An axis as a sum: what belongs to no cuttable group, and so many indices per kept channel.
  private struct Extent: Sendable {
    var fixed: Int
    var parts: [(group: Int, multiplicity: Int)]
  }

  private let graph: Graph
  private let facts: GraphFacts
  private let coupling: CouplingAnalysis
  private var extents: [Axis: Extent] = [:]
  private var costlyNodes: [NodeID] = []
  private var constantMacs = 0
  private var parameters: [ValueID] = []

  public init(_ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis) {
    self.graph = graph
    self.facts = .nominal(of: graph, facts)
    self.coupling = coupling
    for (index, group) in coupling.groups.enumerated() where group.pin == nil {
      for member in group.members {
        let total = coupling.extent(of: member.axis)!
        var extent = extents[member.axis] ?? Extent(fixed: total, parts: [])
        extent.fixed -= group.count * member.multiplicity
        extent.parts.append((index, member.multiplicity))
        extents[member.axis] = extent
      }
    }
    parameters = graph.valueIDs.filter { Cost.isParameter($0, graph, facts) }
    for id in graph.nodes {
      guard let (found, call) = self.facts.invocation(of: id) else { continue }
      let macs = found.macs(call)
      guard macs > 0 else { continue }
      let values = (graph[id].inputs + graph[id].outputs).compactMap { $0 }
      let isAffected = values.contains { value in
        coupling.axes(of: value).contains { extents[$0.axis] != nil }
      }
      if isAffected { costlyNodes.append(id) } else { constantMacs &+= macs }
    }
  }

  /// MACs when group i keeps `kept[i]` channels.
  public func macs(keeping kept: [Int]) -> Int {
    var total = constantMacs
    for id in costlyNodes {
      let (found, call) = facts.invocation(of: id) { value in
        var cut = ValueFacts(facts[value].type)
        guard var shape = cut.type?.shape else { return cut }
        for axis in shape.indices {
          if let extent = extents[Axis(value, axis)] {
            shape[axis] = .fixed(Self.evaluate(extent, kept))
          }
        }
        cut.type?.shape = shape
        return cut
      }!
      total &+= found.macs(call)
    }
    return total
  }

  /// Parameters when group i keeps `kept[i]` channels.
  public func parameters(keeping kept: [Int]) -> Int {
    var total = 0
    for id in parameters {
      var count = 1
      for (axis, extent) in (facts[id].fixedShape ?? [0]).enumerated() {
        count &*= extents[Axis(id, axis)].map { Self.evaluate($0, kept) } ?? extent
      }
      total &+= count
    }
    return total
  }

  private static func evaluate(_ extent: Extent, _ kept: [Int]) -> Int {
    extent.parts.reduce(extent.fixed) { $0 + $1.multiplicity * kept[$1.group] }
  }
}
