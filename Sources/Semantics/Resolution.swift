import PrunecGraphIR
import PrunecOperators

/// What prunec makes of a node: an operator it understands, or the reason why it does not.
package enum Resolution: Sendable {
  case understood(any Operator, opset: Int)
  case notUnderstood(because: String)

  /// Looks up the operator of `node` and holds the node against its signature.
  ///
  /// A node with an attribute that the operator does not declare is not understood: the attribute
  /// may change what the node computes. Throws a malformed-model error where the number of operands
  /// or results, or the kind of an attribute, is wrong.
  package static func of(_ id: NodeID, in graph: Graph) throws(CompileError) -> Resolution {
    let node = graph[id]
    let name = node.operation
    guard name.overload.isEmpty, let opset = graph.opsetVersion(of: name.domain) else {
      return .notUnderstood(because: "operator \(name) is not known")
    }
    guard ControlFlow(id, in: graph) == nil else {
      return .notUnderstood(
        because: "\(name) is run, but nothing is cut in its graphs and around it")
    }
    guard let found = OperatorRegistry.find(name, opset: opset) else {
      return .notUnderstood(because: "operator \(name) is not known in opset \(opset)")
    }
    let signature = found.signature
    let location = graph.location(of: id)
    guard signature.operands.contains(node.inputs.count) else {
      throw CompileError(
        .malformed, "has \(node.inputs.count) operands, expected \(Self.range(signature.operands))",
        at: location)
    }
    for index in 0..<signature.operands.lowerBound where node.inputs[index] == nil {
      throw CompileError(.malformed, "operand \(index) is left out", at: location)
    }
    guard signature.results.contains(node.outputs.count) else {
      throw CompileError(
        .malformed, "has \(node.outputs.count) results, expected \(Self.range(signature.results))",
        at: location)
    }
    for attribute in node.attributes {
      guard let declaration = signature.attributes[attribute.name] else {
        return .notUnderstood(because: "attribute '\(attribute.name)' of \(name) is not known")
      }
      if case .reference = attribute.value {
        return .notUnderstood(because: "attribute '\(attribute.name)' refers to a function's")
      }
      if let declaration, !attribute.value.isSameKind(as: declaration) {
        throw CompileError(
          .malformed, "attribute '\(attribute.name)' is of the wrong kind", at: location)
      }
    }
    return .understood(found, opset: opset)
  }

  private static func range(_ range: ClosedRange<Int>) -> String {
    if range.lowerBound == range.upperBound { return "\(range.lowerBound)" }
    if range.upperBound == .max { return "at least \(range.lowerBound)" }
    return "\(range.lowerBound) to \(range.upperBound)"
  }
}
