import PrunecGraphIR
import PrunecTensors

/// The tensors of a run that nodes still to come, or the signature, use.
struct LiveTensors {
  private let graph: Graph
  private var tensors: [ValueID: Tensor] = [:]
  private var usesLeft: [ValueID: Int] = [:]

  /// `captures` are what a subgraph takes from around it.
  init(_ graph: Graph, inputs: [Tensor], captures: [Tensor] = []) {
    self.graph = graph
    for (id, tensor) in zip(graph.inputs, inputs) { tensors[id] = tensor }
    for (id, tensor) in zip(graph.captures, captures) { tensors[id] = tensor }
    for id in graph.valueIDs { usesLeft[id] = graph[id].uses.count }
  }

  /// Whether a value is there, as it should once its node has run.
  func has(_ id: ValueID) -> Bool { graph[id].constant != nil || tensors[id] != nil }

  func tensor(_ id: ValueID) throws(CompileError) -> Tensor {
    let value = graph[id]
    guard let tensor = value.constant ?? tensors[id], tensor.hasData else {
      throw CompileError(.unsupported, "has no data to evaluate with", at: .value(value.name))
    }
    return tensor.contiguous
  }

  /// Takes the results of a node, and lets go of what it was the last to use.
  mutating func finish(_ node: Node, _ results: [Tensor]) {
    for (output, tensor) in zip(node.outputs, results) {
      if let output, graph[output].uses.count > 0 { tensors[output] = tensor }
    }
    for value in node.inputs.compactMap({ $0 }) + node.captures {
      usesLeft[value]! -= 1
      if usesLeft[value] == 0 { tensors[value] = nil }
    }
  }

  mutating func define(_ output: ValueID, _ tensor: Tensor) { tensors[output] = tensor }
}
