/// Runs a graph with the operators' own `evaluate`: slow, plain, and the oracle of everything faster.
public struct ReferenceEvaluator: Sendable {
  private let graph: Graph
  /// A node of more MACs would take minutes.
  private static let macLimit = 1 << 35

  public init(_ graph: Graph) { self.graph = graph }

  /// Runs the graph on one tensor for each graph input, in order, and returns one for each output.
  ///
  /// Throws an unsupported error at a node that is not understood, and a malformed-model error where
  /// the tensors do not fit.
  public func run(_ inputs: [Tensor]) throws(CompileError) -> [Tensor] {
    precondition(inputs.count == graph.inputs.count)
    var tensors: [ValueID: Tensor] = [:]
    var usesLeft: [ValueID: Int] = [:]
    for (id, tensor) in zip(graph.inputs, inputs) { tensors[id] = tensor }
    for id in graph.valueIDs { usesLeft[id] = graph[id].uses.count }

    for id in graph.nodes {
      let node = graph[id]
      let operands = try node.inputs.map { (input) throws(CompileError) -> Tensor? in
        guard let input else { return nil }
        return try tensor(input, tensors)
      }
      let results = try evaluate(id, operands)
      for (output, tensor) in zip(node.outputs, results) {
        if let output, graph[output].uses.count > 0 { tensors[output] = tensor }
      }
      for input in node.inputs.compactMap({ $0 }) {
        usesLeft[input]! -= 1
        if usesLeft[input] == 0 { tensors[input] = nil }
      }
    }
    return try graph.outputs.map { (output) throws(CompileError) in
      try tensor(output.value, tensors)
    }
  }

  private func tensor(
    _ id: ValueID, _ tensors: [ValueID: Tensor]
  ) throws(CompileError) -> Tensor {
    let value = graph[id]
    guard let tensor = value.constant ?? tensors[id], tensor.hasData else {
      throw CompileError(.unsupported, "has no data to evaluate with", at: .value(value.name))
    }
    return tensor.contiguous
  }

  /// Computes the results of one node from its operands.
  public func evaluate(_ id: NodeID, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let node = graph[id]
    guard case .understood(let found, let opset) = try Resolution.of(id, in: graph) else {
      throw CompileError(.unsupported, "cannot be evaluated", at: graph.location(of: id))
    }
    var call = Invocation(
      signature: found.signature, opset: opset, attributes: node.attributes,
      operands: operands.map { $0.map { ValueFacts(constant: $0) } },
      results: [ValueFacts](repeating: .unknown, count: node.outputs.count),
      location: graph.location(of: id))
    call.results = try found.inferFacts(call)
    guard found.macs(call) <= Self.macLimit else {
      throw CompileError(
        .unsupported, "takes too long to evaluate", at: graph.location(of: id))
    }
    return try found.evaluate(call, operands)
  }
}
