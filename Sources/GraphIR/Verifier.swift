import PrunecTensors

/// Checks that a graph is well formed. Lists every violation rather than the first.
///
/// 1. Every operand, capture and graph output refers to a value that exists.
/// 2. Every value's recorded uses are exactly the uses found by walking the graph.
/// 3. Every output of a node is defined by that node at that index.
/// 4. Operands and captures are defined before the node that uses them.
/// 5. Graph inputs, initializers and captured values are defined as such, at their position.
/// 6. Value names are not empty and unique; so are the names of the graph's outputs.
/// 7. Every subgraph of a node has as many captured values as the node has captures (the same list
///    for all of them, used or not), and is well formed itself.
/// 8. An initializer's type is its tensor's.
/// 9. Of a rewritten graph: every node and initializer that the graph before did not have bears an
///    origin, a node that was there before or that such a node stood for.
public struct Verifier {
  private let graph: Graph
  private var violations: [Diagnostic] = []

  /// Every violation found in `graph`, in order of execution.
  public static func violations(in graph: Graph) -> [Diagnostic] {
    var verifier = Verifier(graph: graph)
    verifier.run()
    return verifier.violations
  }

  /// Throws an internal error that lists every violation in `graph`; `subject` is what the message calls
  /// it.
  public static func verify(_ graph: Graph, _ subject: String) throws(CompileError) {
    try refuse(violations(in: graph), subject)
  }

  /// Throws an internal error that lists every violation in `graph`, which the pass `name` has made of
  /// `before`.
  public static func verify(
    _ graph: Graph, rewriting before: Graph, by name: String
  ) throws(CompileError) {
    try refuse(violations(in: graph, rewriting: before), "the graph after \(name)")
  }

  private static func refuse(
    _ violations: [Diagnostic], _ subject: String
  ) throws(CompileError) {
    guard !violations.isEmpty else { return }
    let summary = Diagnostic(
      .error, "\(subject) is not well formed",
      notes: ["this is an error in prunec; no output has been written"])
    throw CompileError(.internalError, [summary] + violations)
  }

  /// Every violation found in `graph`, which a pass has made of `before`.
  public static func violations(in graph: Graph, rewriting before: Graph) -> [Diagnostic] {
    var verifier = Verifier(graph: graph)
    verifier.run()
    verifier.checkOrigins(before)
    return verifier.violations
  }

  private init(graph: Graph) { self.graph = graph }

  private mutating func report(_ message: String, at location: Location? = nil) {
    violations.append(Diagnostic(.error, message, at: location))
  }

  private mutating func run() {
    checkSignature()
    checkNodes()
    checkNames()
    checkUses()
  }

  private mutating func checkSignature() {
    for (index, id) in graph.inputs.enumerated() {
      guard case .input(index)? = graph.value(id)?.definition else {
        report("input \(index) of the graph is not defined as that input")
        continue
      }
    }
    for (index, id) in graph.captures.enumerated() {
      guard case .captured(index)? = graph.value(id)?.definition else {
        report("captured value \(index) is not defined as that capture")
        continue
      }
    }
    for id in graph.initializers {
      switch graph.value(id)?.definition {
      case .initializer(let tensor)?:
        let type = graph[id].tensorType
        if type?.fixedShape != tensor.shape || type?.elementType != tensor.elementType {
          report("initializer's type is not its tensor's", at: .value(graph[id].name))
        }
      default: report("listed initializer is not a constant")
      }
    }
  }

  private mutating func checkNodes() {
    var defined = Set(graph.inputs).union(graph.initializers).union(graph.captures)
    for id in graph.nodes {
      let node = graph[id]
      let location = graph.location(of: id)
      for value in node.inputs.compactMap({ $0 }) + node.captures {
        guard let definition = graph.value(value) else {
          report("uses a value that does not exist", at: location)
          continue
        }
        if !defined.contains(value) {
          report("uses '\(definition.name)' before it is defined", at: location)
        }
      }
      for (index, output) in node.outputs.enumerated() {
        guard let output else { continue }
        if case .output(id, index)? = graph.value(output)?.definition {
          defined.insert(output)
        } else {
          report("output \(index) is not defined by this node", at: location)
        }
      }
      let subgraphs = node.attributes.flatMap(\.graphs)
      for subgraph in subgraphs {
        if subgraph.captures.count != node.captures.count {
          report("a subgraph's captured values are not the node's", at: location)
        }
        violations += Verifier.violations(in: subgraph)
      }
    }
    for output in graph.outputs where !defined.contains(output.value) {
      report("graph output '\(output.name)' is not defined")
    }
  }

  private mutating func checkNames() {
    var names: Set<String> = []
    for id in graph.valueIDs {
      let name = graph[id].name
      if name.isEmpty { report("a value has no name") }
      if !names.insert(name).inserted { report("two values have this name", at: .value(name)) }
    }
    var outputNames: Set<String> = []
    for output in graph.outputs where !outputNames.insert(output.name).inserted {
      report("two graph outputs have this name", at: .value(output.name))
    }
  }

  private mutating func checkUses() {
    var found: [ValueID: Set<Use>] = [:]
    for id in graph.nodes {
      for (index, input) in graph[id].inputs.enumerated() {
        if let input { found[input, default: []].insert(.operand(id, index)) }
      }
      for (index, capture) in graph[id].captures.enumerated() {
        found[capture, default: []].insert(.capture(id, index))
      }
    }
    for (index, output) in graph.outputs.enumerated() {
      found[output.value, default: []].insert(.graphOutput(index))
    }
    for id in graph.valueIDs {
      let value = graph[id]
      if Set(value.uses) != found[id] ?? [] || value.uses.count != found[id]?.count ?? 0 {
        report("recorded uses are not the actual ones", at: .value(value.name))
      }
    }
  }

  private mutating func checkOrigins(_ before: Graph) {
    var known = Set(before.nodes)
    for id in before.nodes { known.formUnion(before[id].origins.map(\.node)) }
    for id in before.initializers { known.formUnion(before[id].origins.map(\.node)) }
    func isKnown(_ origins: [NodeOrigin]) -> Bool {
      !origins.isEmpty && origins.allSatisfy { known.contains($0.node) }
    }
    for id in graph.nodes where before.node(id) == nil && !isKnown(graph[id].origins) {
      report("the node stands for nothing that was there", at: graph.location(of: id))
    }
    for id in graph.initializers where before.value(id) == nil && !isKnown(graph[id].origins) {
      report("the initializer stands for nothing that was there", at: .value(graph[id].name))
    }
  }
}
