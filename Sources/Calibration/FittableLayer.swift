import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// A linear layer whose weight and bias may be changed to fit other inputs: constants in single precision or less that nothing
/// else uses.
package struct FittableLayer: Sendable {
  /// Where the layer's bias is.
  package enum Bias: Sendable {
    /// In this constant, of one element a channel.
    case constant(ValueID)
    /// Nowhere yet: the node takes one as this operand.
    case absent(operand: Int)
    /// The layer has none, and its operator takes none.
    case impossible
  }

  package let form: LayerForm
  package let bias: Bias
  /// The node that makes the result, bias included: the layer's own, or a sum behind it.
  package let last: NodeID
  /// The result, bias included.
  package let result: ValueID

  package var layer: LinearLayer { form.layer }

  /// `nil` where the weight is computed, shared, or no floating point number, or the layer has no `LayerForm`. `facts` have
  /// numbers for all extents.
  package init?(_ layer: LinearLayer, _ graph: Graph, _ facts: GraphFacts) {
    guard let form = LayerForm(layer, graph, facts), Self.isOwn(layer.weight, graph) else {
      return nil
    }
    self.form = form
    let channels = form.groups * form.outputs
    let node = graph[layer.node]
    if node.inputs.count > 2, let operand = node.inputs[2] {
      guard layer.bias == operand, Self.isOwn(operand, graph),
        graph[operand].constant?.shape == [channels]
      else { return nil }
      (bias, last, result) = (.constant(operand), layer.node, layer.result)
    } else if layer.resultAxis + 1 == facts[layer.result].rank,
      let (sum, vector) = Self.sum(behind: layer.result, channels, graph)
    {
      (bias, last, result) = (.constant(vector), sum, graph[sum].outputs[0]!)
    } else {
      let takesBias = facts.invocation(of: layer.node)?.0.signature.operands.upperBound ?? 0 > 2
      (bias, last, result) = (
        takesBias ? .absent(operand: 2) : .impossible, layer.node, layer.result
      )
    }
  }

  private static func isOwn(_ value: ValueID, _ graph: Graph) -> Bool {
    guard let tensor = graph[value].constant, graph[value].uses.count == 1 else { return false }
    return tensor.hasData && tensor.elementType.isFloatingPoint && !tensor.floats.isEmpty
  }

  /// The node that adds a vector of the last axis to a result, which nothing else uses, and the vector.
  private static func sum(
    behind result: ValueID, _ channels: Int, _ graph: Graph
  ) -> (NodeID, ValueID)? {
    guard graph[result].uses.count == 1, let sum = graph[result].uses[0].node,
      graph[sum].operation == OperationName("Add"),
      let vector = graph[sum].inputs.compactMap({ $0 }).first(where: { $0 != result }),
      isOwn(vector, graph), graph[vector].constant!.shape.last == channels,
      graph[vector].constant!.count == channels
    else { return nil }
    return (sum, vector)
  }

  /// The bias's elements; zeros where there is none yet, `nil` where there can be none.
  package func biasElements(_ graph: Graph) -> [Float]? {
    switch bias {
    case .constant(let value): graph[value].constant!.floats
    case .absent: [Float](repeating: 0, count: form.groups * form.outputs)
    case .impossible: nil
    }
  }
}
