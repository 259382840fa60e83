import PrunecGraphIR

/// A graph that is being read, and what its names stand for.
struct Scope {
  var graph: Graph
  /// Values defined so far, and those taken from surrounding graphs.
  var values: [String: ValueID] = [:]
  /// Types declared for values that nodes define.
  var declaredTypes: [String: ValueType] = [:]
  /// What the subgraphs of the node being read take from this graph, in order of first use.
  var captures: [ValueID] = []
  /// Names of values in subgraphs.
  var innerNames: [String] = []

  /// Gives a subgraph the captured values that it lacks: all subgraphs of a node have the same list.
  func pad(_ subgraph: inout Graph) {
    for capture in captures.dropFirst(subgraph.captures.count) {
      subgraph.addCapture(name: graph[capture].name, type: graph[capture].type)
    }
  }
}

extension Parser {
  /// The value that a name stands for in the innermost graph. A value of a surrounding graph is
  /// captured by all graphs in between.
  mutating func resolve(_ name: String) -> ValueID? { resolve(name, at: scopes.count - 1) }

  private mutating func resolve(_ name: String, at level: Int) -> ValueID? {
    if let value = scopes[level].values[name] { return value }
    guard level > 0, let outer = resolve(name, at: level - 1) else { return nil }
    let position: Int
    if let known = scopes[level - 1].captures.firstIndex(of: outer) {
      position = known
    } else {
      position = scopes[level - 1].captures.count
      scopes[level - 1].captures.append(outer)
    }
    scopes[level - 1].pad(&scopes[level].graph)
    let value = scopes[level].graph.captures[position]
    scopes[level].values[name] = value
    return value
  }

  /// Checks that a name can be given to a new value. Surrounding graphs count: ONNX's names are
  /// unique across a graph and its subgraphs, and capturing relies on it.
  func requireUndefined(_ name: String, at place: Token) throws(CompileError) {
    if scopes.contains(where: { $0.values[name] != nil }) {
      throw failure("'\(name)' is already defined", at: place)
    }
  }
}
