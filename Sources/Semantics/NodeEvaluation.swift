import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// A node with its operator, which is looked up once, to be evaluated again and again.
package struct NodeEvaluation: Sendable {
  private let found: any Operator
  /// The node's invocation, but for what is known of its operands.
  private let call: Invocation

  /// A node of more MACs would take minutes.
  private static let macLimit = 1 << 35

  /// Throws an unsupported error at a node that is not understood, and a malformed-model error where it does not fit its
  /// operator.
  package init(_ id: NodeID, in graph: Graph) throws(CompileError) {
    let node = graph[id]
    guard case .understood(let found, let opset) = try Resolution.of(id, in: graph) else {
      throw CompileError(.unsupported, "cannot be evaluated", at: graph.location(of: id))
    }
    self.found = found
    call = Invocation(
      signature: found.signature, opset: opset, attributes: node.attributes, operands: [],
      results: [ValueFacts](repeating: .unknown, count: node.outputs.count),
      location: graph.location(of: id))
  }

  /// The results for the node's operands.
  package func evaluate(_ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    try evaluate(invocation(on: operands), operands)
  }

  /// The invocation on operands, with the facts of the results; an unsupported error where these would take too long or too
  /// much memory.
  func invocation(on operands: [Tensor?]) throws(CompileError) -> Invocation {
    var call = call
    call.operands = operands.map { $0.map { ValueFacts(constant: $0) } }
    call = try call.resolved(by: found)
    guard found.macs(call) <= Self.macLimit else {
      throw CompileError(.unsupported, "takes too long to evaluate", at: call.location)
    }
    for result in call.results {
      guard let count = result.fixedShape?.checkedElementCount,
        let bytes = result.elementType?.byteCount(of: count)
      else { continue }
      try MemoryLimit.ask(bytes, for: "a result", at: call.location)
    }
    return call
  }

  /// Multiply-accumulate operations of an invocation.
  func macs(_ call: Invocation) -> Int { found.macs(call) }

  /// The results of an invocation on operands.
  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    try found.evaluate(call, operands)
  }
}
