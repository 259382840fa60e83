/// Runs a graph with the operators' own `evaluate`: slow, plain, and the oracle of everything faster.
public struct ReferenceEvaluator: Sendable {
  private let graph: Graph
  /// A node of more MACs would take minutes.
  private static let macLimit = 1 << 35

  /// Whether the graph is run again and again, so that effort counts.
  private let isBody: Bool

  public init(_ graph: Graph) {
    self.graph = graph
    isBody = false
  }

  init(body: Graph) {
    graph = body
    isBody = true
  }

  /// Runs the graph on one tensor for each graph input, in order, and returns one for each output.
  ///
  /// Throws an unsupported error at a node that is not understood, and a malformed-model error where
  /// the tensors do not fit.
  public func run(_ inputs: [Tensor]) throws(CompileError) -> [Tensor] {
    precondition(inputs.count == graph.inputs.count)
    var effort = EvaluationEffort()
    return try run(inputs, [], &effort)
  }

  /// Runs the graph, a subgraph where `captures` are the tensors that it takes from around it.
  func run(
    _ inputs: [Tensor], _ captures: [Tensor], _ effort: inout EvaluationEffort
  ) throws(CompileError) -> [Tensor] {
    var tensors: [ValueID: Tensor] = [:]
    var usesLeft: [ValueID: Int] = [:]
    for (id, tensor) in zip(graph.inputs, inputs) { tensors[id] = tensor }
    for (id, tensor) in zip(graph.captures, captures) { tensors[id] = tensor }
    for id in graph.valueIDs { usesLeft[id] = graph[id].uses.count }

    for id in graph.nodes {
      let node = graph[id]
      let operands = try node.inputs.map { (input) throws(CompileError) -> Tensor? in
        guard let input else { return nil }
        return try tensor(input, tensors)
      }
      let captured = try node.captures.map { (value) throws(CompileError) in
        try tensor(value, tensors)
      }
      let results = try evaluate(id, operands, captured, &effort)
      for (output, tensor) in zip(node.outputs, results) {
        if let output, graph[output].uses.count > 0 { tensors[output] = tensor }
      }
      for value in node.inputs.compactMap({ $0 }) + node.captures {
        usesLeft[value]! -= 1
        if usesLeft[value] == 0 { tensors[value] = nil }
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

  /// Computes the results of one node from its operands, and from what its subgraphs capture.
  public func evaluate(
    _ id: NodeID, _ operands: [Tensor?], captures: [Tensor] = []
  ) throws(CompileError) -> [Tensor] {
    var effort = EvaluationEffort()
    return try evaluate(id, operands, captures, &effort)
  }

  private func evaluate(
    _ id: NodeID, _ operands: [Tensor?], _ captures: [Tensor], _ effort: inout EvaluationEffort
  ) throws(CompileError) -> [Tensor] {
    if let flow = ControlFlow(id, in: graph) {
      return try flow.evaluate(operands, captures, &effort)
    }
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
      throw CompileError(.unsupported, "takes too long to evaluate", at: call.location)
    }
    if isBody {
      try effort.spend(on: call.results, macs: found.macs(call), at: call.location)
    }
    return try found.evaluate(call, operands)
  }
}
