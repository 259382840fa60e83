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
    let node = graph[layer.node]
    let place = form.biasOperand ?? node.inputs.count
    if node.inputs.count > place, let operand = node.inputs[place] {
      guard Self.isOwn(operand, graph), graph[operand].constant?.shape == form.bias.shape else {
        return nil
      }
      (bias, last, result) = (.constant(operand), layer.node, layer.result)
    } else if let extents = form.trailingExtents,
      let (sum, vector) = Self.sum(behind: layer.result, extents, graph)
    {
      (bias, last, result) = (.constant(vector), sum, graph[sum].outputs[0]!)
    } else {
      let limit = facts.invocation(of: layer.node)?.0.signature.operands.upperBound ?? 0
      let operand = form.biasOperand.flatMap { $0 < limit ? $0 : nil }
      (bias, last, result) = (
        operand.map { .absent(operand: $0) } ?? .impossible, layer.node, layer.result
      )
    }
  }

  /// The layer that a node is; `nil` also where it is several that cannot be taken for one.
  package init?(_ node: NodeID, _ graph: Graph, _ facts: GraphFacts) {
    let layers = LinearLayer.layers(of: node, graph, facts)
    guard let first = layers.first, let layer = FittableLayer(first, graph, facts),
      layers.count == 1 || layers.count == layer.form.outputAxes.count
    else { return nil }
    self = layer
  }

  private static func isOwn(_ value: ValueID, _ graph: Graph) -> Bool {
    guard let tensor = graph[value].constant, graph[value].uses.count == 1 else { return false }
    return tensor.hasData && tensor.elementType.isFloatingPoint && !tensor.floats.isEmpty
  }

  /// The node that adds a tensor of the last axes, of these extents, to a result, which nothing else uses, and the tensor.
  private static func sum(
    behind result: ValueID, _ extents: [Int], _ graph: Graph
  ) -> (NodeID, ValueID)? {
    guard graph[result].uses.count == 1, let sum = graph[result].uses[0].node,
      graph[sum].operation == OperationName("Add"),
      let vector = graph[sum].inputs.compactMap({ $0 }).first(where: { $0 != result }),
      isOwn(vector, graph), let shape = graph[vector].constant?.shape,
      shape.drop(while: { $0 == 1 }) == extents.drop(while: { $0 == 1 })
    else { return nil }
    return (sum, vector)
  }

  /// The bias's elements; zeros where there is none yet, `nil` where there can be none.
  package func biasElements(_ graph: Graph) -> [Float]? {
    switch bias {
    case .constant(let value): form.bias.elements(of: graph[value].constant!)
    case .absent: [Float](repeating: 0, count: form.bias.count)
    case .impossible: nil
    }
  }

  /// The tensor of a bias with other elements.
  package func bias(_ elements: [Float], replacing old: Tensor) -> Tensor {
    form.bias.replacing(old, by: elements)
  }

  /// The tensor of a bias that the layer has not had before.
  package func newBias(_ elements: [Float], _ type: ElementType) -> Tensor {
    form.bias.replacing(Tensor(zeros: type, shape: form.bias.shape), by: elements)
  }

  /// The axis along which the tensor of a bias follows others' cuts: once, or several times in a row.
  package var biasChannels: Axis {
    form.makesResult
      ? Axis(layer.result, layer.resultAxis) : Axis(layer.weight, layer.outputAxis)
  }
}
