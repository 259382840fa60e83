import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Runs as much of a graph as can be run.
///
/// Nodes that are not understood are not run: what they make is made up, the same in every graph for a
/// result of the same name, where its type says what to make; else nothing that needs it is run either.
/// What they read is part of what the run gives. So two graphs that give such nodes the same, and make the
/// same of what they make, compute the same whatever these nodes do.
package struct PartialEvaluator: Sendable {
  /// What a run gives.
  package struct Results: Sendable {
    /// By name, the outputs that could be computed and what the nodes that were not run read.
    package internal(set) var tensors: [String: Tensor] = [:]
    /// Whether any of them was computed: inputs, constants and what is made up tell nothing.
    package internal(set) var isTelling = false
    /// Names of outputs that could not be computed.
    package internal(set) var unreachedOutputs: [String] = []
  }

  private let graph: Graph
  private let facts: GraphFacts
  /// The nodes that the outputs depend on.
  private let neededNodes: Set<NodeID>
  /// Those that are not understood, or hold graphs with nodes that are not.
  private let unknownNodes: Set<NodeID>

  package init(_ graph: Graph) throws(CompileError) {
    let graph = graph.withSunkBranches
    self.graph = graph
    facts = try GraphFacts(of: graph)
    var (needed, unknown): (Set<NodeID>, Set<NodeID>) = ([], [])
    var used = Set(graph.outputs.map(\.value))
    for id in graph.nodesReversed {
      let node = graph[id]
      guard node.outputs.contains(where: { $0.map(used.contains) ?? false }) else { continue }
      used.formUnion(node.inputs.compactMap { $0 } + node.captures)
      needed.insert(id)
      if try !Self.canRun(id, graph) { unknown.insert(id) }
    }
    neededNodes = needed
    unknownNodes = unknown
  }

  private static func canRun(_ id: NodeID, _ graph: Graph) throws(CompileError) -> Bool {
    guard ControlFlow(id, in: graph) != nil else {
      if case .understood = try Resolution.of(id, in: graph) { return true }
      return false
    }
    for body in graph[id].attributes.flatMap(\.graphs) {
      for node in body.nodes where try !canRun(node, body) { return false }
    }
    return true
  }

  /// Names of the first results of the nodes that are not run, in order of execution.
  package var unknownNames: [String] {
    graph.nodes.filter(unknownNodes.contains).map { name(of: $0) }
  }

  /// The operations of the nodes that are not run, in order of their first.
  package var unknownOperations: [OperationName] {
    var found: [OperationName] = []
    for id in graph.nodes where unknownNodes.contains(id) {
      if !found.contains(graph[id].operation) { found.append(graph[id].operation) }
    }
    return found
  }

  private func name(of id: NodeID) -> String {
    graph[id].outputs.lazy.compactMap { $0 }.first.map { graph[$0].name } ?? ""
  }

  /// Runs the graph on one tensor for each graph input, in order. What is made up follows from `seed`.
  package func run(_ inputs: [Tensor], seed: UInt64) throws(CompileError) -> Results {
    precondition(inputs.count == graph.inputs.count)
    let evaluator = ReferenceEvaluator(graph)
    var results = Results()
    var effort = EvaluationEffort()
    var live = LiveTensors(graph, inputs: inputs)
    let extents = symbols(inputs)
    for id in graph.nodes {
      let node = graph[id]
      if unknownNodes.contains(id) {
        for (index, value) in (node.inputs + node.captures).enumerated() {
          guard let value, live.has(value) else { continue }
          results.isTelling = results.isTelling || isComputed(value)
          results.tensors["\(name(of: id)) reads \(index)"] = try live.tensor(value)
        }
        live.finish(node, [])
        for output in node.outputs.compactMap({ $0 }) {
          if let tensor = madeUp(output, extents, seed) { live.define(output, tensor) }
        }
      } else if neededNodes.contains(id),
        (node.inputs.compactMap({ $0 }) + node.captures).allSatisfy(live.has)
      {
        live.finish(node, try evaluator.evaluate(id, live, &effort))
      } else {
        live.finish(node, [])
      }
    }
    for output in graph.outputs {
      if live.has(output.value) {
        results.isTelling = results.isTelling || isComputed(output.value)
        results.tensors["output \(output.name)"] = try live.tensor(output.value)
      } else {
        results.unreachedOutputs.append(output.name)
      }
    }
    return results
  }

  /// Whether a value is made by a node that can be run.
  private func isComputed(_ id: ValueID) -> Bool {
    guard case .output(let node, _) = graph[id].definition else { return false }
    return !unknownNodes.contains(node)
  }

  /// The extents that the inputs' symbols have in this run.
  private func symbols(_ inputs: [Tensor]) -> [String: Int] {
    var extents: [String: Int] = [:]
    for (id, tensor) in zip(graph.inputs, inputs) {
      for (dimension, extent) in zip(graph[id].tensorType?.shape ?? [], tensor.shape) {
        if case .symbol(let symbol) = dimension.extent { extents[symbol] = extent }
      }
    }
    return extents
  }

  private func madeUp(_ id: ValueID, _ extents: [String: Int], _ seed: UInt64) -> Tensor? {
    guard let elementType = facts[id].elementType, let dimensions = facts[id].shape else {
      return nil
    }
    var shape: [Int] = []
    for dimension in dimensions {
      switch dimension.extent {
      case .fixed(let extent): shape.append(extent)
      case .symbol(let symbol):
        guard let extent = extents[symbol] else { return nil }
        shape.append(extent)
      case .unknown: return nil
      }
    }
    // The name decides, for nodes may have moved (FNV-1a).
    var generator = SplitMix64(
      seed: graph[id].name.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) {
        ($0 ^ UInt64($1)) &* 0x100_0000_01B3
      })
    return SeededInputs.tensor(elementType, shape, &generator)
  }
}
