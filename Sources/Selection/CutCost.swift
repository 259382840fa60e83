import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// The cost of a graph as a function of how many channels each group keeps.
package struct CutCost: Sendable {
  /// What is counted.
  package enum Quantity: Sendable, Hashable {
    case macs
    case parameters
    /// Bytes in memory above a limit, added up over all nodes: nothing where the limit is met.
    case memory(above: Int)
  }

  /// An axis as a sum: what belongs to no cuttable group, and so many indices per kept channel.
  struct Extent: Sendable {
    var fixed: Int
    var parts: [(group: Int, multiplicity: Int)]
  }

  private let facts: GraphFacts
  private var extents: [Axis: Extent] = [:]
  /// The nodes whose MACs depend on what is kept, and for each group those that depend on it.
  private var nodes: [NodeID] = []
  private var nodesOfGroup: [[NodeID]]
  /// MACs of all other nodes.
  private var constantMacs = 0
  /// Parameters in the graphs of nodes.
  private var constantParameters = 0
  /// The parameters, and for each group those that it lies on.
  private let parameters: [ValueID]
  private var parametersOfGroup: [[ValueID]]
  private var liveValues: LiveValues

  /// The cost on inputs of `shapes`; `nil` for those that are found for the graph itself.
  package init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, _ shapes: InputShapes? = nil
  ) {
    self.facts = .sized(graph, facts, by: shapes ?? InputShapes(for: graph))
    parameters = graph.valueIDs.filter { Cost.isParameter($0, graph, facts) }
    nodesOfGroup = [[NodeID]](repeating: [], count: coupling.groups.count)
    parametersOfGroup = [[ValueID]](repeating: [], count: coupling.groups.count)
    for (index, group) in coupling.groups.enumerated() where group.pin == nil {
      for member in group.members {
        let total = coupling.extent(of: member.axis)!
        var extent = extents[member.axis] ?? Extent(fixed: total, parts: [])
        extent.fixed -= group.count * member.multiplicity
        extent.parts.append((index, member.multiplicity))
        extents[member.axis] = extent
      }
    }
    liveValues = LiveValues(graph, self.facts, extents)
    for id in parameters {
      for group in groups(of: [id]) { parametersOfGroup[group].append(id) }
    }
    for id in graph.nodes {
      guard let (found, call) = self.facts.invocation(of: id) else {
        let bodies = Cost.bodies(of: id, self.facts)
        constantMacs &+= bodies.macs
        constantParameters &+= bodies.parameters
        continue
      }
      let macs = found.macs(call)
      guard macs > 0 else { continue }
      let groups = groups(of: (graph[id].inputs + graph[id].outputs).compactMap { $0 })
      for group in groups { nodesOfGroup[group].append(id) }
      if groups.isEmpty { constantMacs &+= macs } else { nodes.append(id) }
    }
  }

  /// The groups that lie on axes of the values.
  private func groups(of values: [ValueID]) -> [Int] {
    var groups: Set<Int> = []
    for value in values {
      for axis in 0..<(facts[value].rank ?? 0) {
        for part in extents[Axis(value, axis)]?.parts ?? [] { groups.insert(part.group) }
      }
    }
    return groups.sorted()
  }

  /// The cost when group i keeps `kept[i]` channels.
  package func total(_ quantity: Quantity, keeping kept: [Int]) -> Int {
    switch quantity {
    case .macs: constantMacs &+ macs(of: nodes, kept)
    case .parameters: constantParameters &+ count(of: parameters, kept)
    case .memory(let limit): liveValues.excess(above: limit, keeping: kept)
    }
  }

  /// Tells what a runtime needs, in bytes, while each of the nodes runs that it does run, when group i keeps `kept[i]` channels.
  package mutating func correctMemory(by measured: [NodeID: Int], keeping kept: [Int]) {
    liveValues.correct(by: measured, keeping: kept)
  }

  /// The most bytes that are needed at one time when group i keeps `kept[i]` channels.
  package func peakMemory(keeping kept: [Int]) -> Int { liveValues.peak(keeping: kept) }

  /// How much is saved when group `group` keeps `count` channels instead of `kept[group]`. Only looks at
  /// what depends on that group.
  package func saving(
    _ quantity: Quantity, byKeeping count: Int, ofGroup group: Int, from kept: [Int]
  ) -> Int {
    var fewer = kept
    fewer[group] = count
    switch quantity {
    case .macs:
      return macs(of: nodesOfGroup[group], kept) &- macs(of: nodesOfGroup[group], fewer)
    case .parameters:
      let parameters = parametersOfGroup[group]
      return self.count(of: parameters, kept) &- self.count(of: parameters, fewer)
    case .memory:
      return total(quantity, keeping: kept) &- total(quantity, keeping: fewer)
    }
  }

  /// The MACs of some nodes.
  package func macs(of nodes: [NodeID], _ kept: [Int]) -> Int {
    var total = 0
    for id in nodes {
      let call = facts.invocation(of: id) { value in
        var cut = ValueFacts(facts[value].type)
        guard var shape = cut.type?.shape else { return cut }
        for axis in shape.indices {
          if let extent = extents[Axis(value, axis)] {
            shape[axis] = .fixed(Self.evaluate(extent, kept))
          }
        }
        cut.type?.shape = shape
        return cut
      }
      if let (found, call) = call { total &+= found.macs(call) }
    }
    return total
  }

  /// The elements of some values.
  package func count(of values: [ValueID], _ kept: [Int]) -> Int {
    var total = 0
    for id in values {
      var count = 1
      for (axis, extent) in (facts[id].fixedShape ?? [0]).enumerated() {
        count &*= extents[Axis(id, axis)].map { Self.evaluate($0, kept) } ?? extent
      }
      total &+= count
    }
    return total
  }

  static func evaluate(_ extent: Extent, _ kept: [Int]) -> Int {
    extent.parts.reduce(extent.fixed) { $0 + $1.multiplicity * kept[$1.group] }
  }
}
