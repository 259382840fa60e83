import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Runs a graph with the operators' own `evaluate`: slow, plain, and the oracle of everything faster.
public struct ReferenceEvaluator: Sendable {
  private let graph: Graph
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
    return try ReferenceEvaluator(graph.withSunkBranches).run(inputs, [], &effort)
  }

  /// Runs the graph, a subgraph where `captures` are the tensors that it takes from around it.
  func run(
    _ inputs: [Tensor], _ captures: [Tensor], _ effort: inout EvaluationEffort
  ) throws(CompileError) -> [Tensor] {
    var live = LiveTensors(graph, inputs: inputs, captures: captures)
    for id in graph.nodes { live.finish(graph[id], try evaluate(id, live, &effort)) }
    return try graph.outputs.map { (output) throws(CompileError) in
      try live.tensor(output.value)
    }
  }

  /// The results of a node whose operands are there.
  func evaluate(
    _ id: NodeID, _ live: LiveTensors, _ effort: inout EvaluationEffort
  ) throws(CompileError) -> [Tensor] {
    let node = graph[id]
    let operands = try node.inputs.map { (input) throws(CompileError) -> Tensor? in
      guard let input else { return nil }
      return try live.tensor(input)
    }
    let captures = try node.captures.map { (value) throws(CompileError) in try live.tensor(value) }
    return try evaluate(id, operands, captures, &effort)
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
      return try flow.evaluate(operands, captures: captures, &effort)
    }
    let evaluation = try NodeEvaluation(id, in: graph)
    let call = try evaluation.invocation(on: operands)
    if isBody {
      try effort.spend(on: call.results, macs: evaluation.macs(call), at: call.location)
    }
    return try evaluation.evaluate(call, operands)
  }
}
