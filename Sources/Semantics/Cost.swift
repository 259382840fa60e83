/// What a graph costs to store and to run.
public struct Cost: Sendable, Hashable {
  /// Multiply-accumulate operations of one run; axes without a fixed extent count as one.
  public var macs = 0
  /// Elements of floating point constants.
  public var parameters = 0
  /// Bytes of all constants.
  public var bytes = 0

  public init() {}

  /// The cost of `graph`, whose facts are `facts`.
  public init(of graph: Graph, _ facts: GraphFacts) {
    for id in graph.nodes {
      if let (found, call) = facts.invocation(of: id) { macs &+= found.macs(call) }
      for attribute in graph[id].attributes {
        if case .tensor(let named) = attribute.value { add(named.tensor) }
      }
    }
    for id in graph.initializers {
      if let tensor = graph[id].constant { add(tensor) }
    }
  }

  private mutating func add(_ tensor: Tensor) {
    bytes += tensor.byteCount
    if tensor.elementType.isParameter { parameters += tensor.count }
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
