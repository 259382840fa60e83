import PrunecGraphIR
import PrunecOperators
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// A normalization whose scale and bias, of one element a channel, may be changed: constants that nothing else uses.
package struct FittableNormalization: Sendable {
  package let node: NodeID
  package let scale: ValueID
  package let bias: ValueID?
  package let result: ValueID
  /// The result's axis of channels.
  package let axis: Int

  /// `nil` where the node is no such thing. `facts` have numbers for all extents.
  package init?(_ node: NodeID, _ graph: Graph, _ facts: GraphFacts) {
    guard case .normalization(let form)? = try? facts.kernelComputation(of: node),
      let operand = form.scale, let scale = graph[node].inputs[operand],
      let result = graph[node].outputs[0], let shape = facts[result].fixedShape
    else { return nil }
    let bias = form.bias.flatMap { graph[node].inputs[$0] }
    self.node = node
    (self.scale, self.bias, self.result) = (scale, bias, result)
    if case .trailing = form.statistics { axis = shape.count - 1 } else { axis = 1 }
    guard shape.indices.contains(axis),
      [scale, bias].compactMap({ $0 }).allSatisfy({ Self.isOwn($0, shape[axis], graph) })
    else { return nil }
  }

  private static func isOwn(_ value: ValueID, _ count: Int, _ graph: Graph) -> Bool {
    guard let tensor = graph[value].constant else { return false }
    return graph[value].uses.count == 1 && tensor.hasData && tensor.shape == [count]
      && tensor.elementType.isFloatingPoint
  }
}
