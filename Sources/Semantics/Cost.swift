import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// What a graph costs to store and to run.
public struct Cost: Sendable, Hashable {
  /// Multiply-accumulate operations of one run on inputs of the shapes that are asked for.
  public var macs = 0
  /// Elements of the values that `isParameter(_:_:_:)` names.
  public var parameters = 0
  /// Bytes of all constants.
  public var bytes = 0

  public init() {}

  /// The cost of `graph`, whose facts are `facts`, on inputs of `shapes`; `nil` for those that are found for the graph
  /// itself.
  public init(of graph: Graph, _ facts: GraphFacts, _ shapes: InputShapes? = nil) {
    add(graph, GraphFacts.sized(graph, facts, by: shapes ?? InputShapes(for: graph)))
  }

  /// The cost of the graphs that a node runs: of an If the MACs of both branches, and those of a loop as often as
  /// it is known to run.
  public static func bodies(of id: NodeID, _ facts: GraphFacts) -> Cost {
    facts.bodies(of: id).reduce(into: Cost()) { sum, body in
      var cost = Cost()
      cost.add(body.graph, body.facts)
      sum.macs &+= cost.macs &* max(0, body.runs ?? 1)
      sum.parameters &+= cost.parameters
      sum.bytes &+= cost.bytes
    }
  }

  private mutating func add(_ graph: Graph, _ facts: GraphFacts) {
    for id in graph.nodes {
      if let (found, call) = facts.invocation(of: id) { macs &+= found.macs(call) }
      let bodies = Self.bodies(of: id, facts)
      macs &+= bodies.macs
      parameters &+= bodies.parameters
      bytes &+= bodies.bytes
      for attribute in graph[id].attributes {
        if case .tensor(let named) = attribute.value { bytes += named.tensor.byteCount }
      }
    }
    for id in graph.initializers { bytes += graph[id].constant?.byteCount ?? 0 }
    for id in graph.valueIDs where Self.isParameter(id, graph, facts) {
      parameters &+= facts[id].fixedShape?.checkedElementCount ?? 0
    }
  }

  /// Whether a value holds parameters: an initializer of a type that weights have, or what a node
  /// makes of other constants or of none (`Constant`, `ConstantOfShape`).
  public static func isParameter(_ id: ValueID, _ graph: Graph, _ facts: GraphFacts) -> Bool {
    guard facts[id].elementType?.isParameter == true else { return false }
    guard let node = graph[id].definingNode else { return graph[id].constant != nil }
    guard facts.invocation(of: node) != nil else { return false }
    return graph[node].inputs.allSatisfy { input in
      guard let input, let tensor = graph[input].constant else { return input == nil }
      return !tensor.elementType.isParameter
    }
  }
}

extension ElementType {
  /// Whether constants of the type count as parameters: floating point of any width, and the narrow
  /// integers that quantised weights have.
  public var isParameter: Bool {
    switch self {
    case .int64, .int32, .uint64, .uint32, .bool, .string, .complex64, .complex128: false
    default: true
    }
  }
}
