import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Folds a batch normalization into the layer before it.
///
///     y = Conv(x, W, b)                                       s = scale / sqrt(var + epsilon)
///     z = BatchNormalization(y, scale, B, mean, var)     =>   z = Conv(x, W s, (b - mean) s + B)
///
/// with `W [M, C/group, ...]` (Conv), `[C, M/group, ...]` (ConvTranspose) or either order (Gemm),
/// `s [M]` applied along the axis of W that becomes the result's channels.
///
/// Legal where
/// 1. the normalization is in inference mode and only its first result is used;
/// 2. scale, B, mean and var are constants with data, one element a channel, and s is finite;
/// 3. the layer has a bias operand (Conv, ungrouped ConvTranspose, Gemm with alpha and beta 1), its
///    weight and bias are constants with data and of single precision or less, and a Gemm's bias is a
///    vector of M elements;
/// 4. nothing but the normalization uses the layer's result;
/// 5. nothing but the layer uses its weight and bias: tied weights would otherwise become several.
package struct FoldBatchNorm: Pass {
  package static let name = "fold-batch-norm"
  package static let summary = "fold batch normalizations into the layers before them"
  package static let effect = Effect.preserving(tolerance: 1e-4)

  package init(options: inout OptionReader) throws(CompileError) {}

  private struct Match {
    let normalization: NodeID
    let layer: LinearLayer
    let factor: [Double]
    let shift: [Double]
    let mean: [Double]
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for match in graph.nodes.compactMap({ find($0, graph, facts) }) {
      perform(match, &graph)
    }
  }

  private func find(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Match? {
    let node = graph[id]
    guard node.operation == OperationName("BatchNormalization"),
      let (_, call) = facts.invocation(of: id), isInference(node, call, graph),
      let operand = node.inputs[0], graph[operand].uses.count == 1,
      let producer = graph[operand].definingNode,
      let layer = LinearLayer.layers(of: producer, graph, facts).first, layer.resultAxis == 1,
      isFoldable(layer, graph, facts)
    else { return nil }
    let parameters = (1...4).compactMap { index in
      node.inputs[index].flatMap { graph[$0].constant }.flatMap { $0.hasData ? $0.floats : nil }
    }
    let channels = graph[layer.weight].constant!.shape[layer.outputAxis]
    guard parameters.count == 4, parameters.allSatisfy({ $0.count == channels }) else { return nil }
    let epsilon = Double(call.float("epsilon")!)
    let factor = zip(parameters[0], parameters[3]).map { scale, variance in
      Double(scale) / (Double(variance) + epsilon).squareRoot()
    }
    guard factor.allSatisfy(\.isFinite) else { return nil }
    return Match(
      normalization: id, layer: layer, factor: factor, shift: parameters[1].map(Double.init),
      mean: parameters[2].map(Double.init))
  }

  private func isInference(_ node: Node, _ call: Invocation, _ graph: Graph) -> Bool {
    let others = node.outputs.dropFirst().compactMap { $0 }
    // Before opset 14 a node trains if it has further results, used or not.
    guard call.opset >= 14 else { return others.isEmpty }
    return call.int("training_mode") == 0 && others.allSatisfy { graph[$0].uses.isEmpty }
  }

  private func isFoldable(_ layer: LinearLayer, _ graph: Graph, _ facts: GraphFacts) -> Bool {
    let node = graph[layer.node]
    guard let (_, call) = facts.invocation(of: layer.node),
      let weight = graph[layer.weight].constant, weight.hasData,
      weight.elementType.isFloatingPoint, weight.elementType != .float64, layer.weightOperand == 1,
      graph[layer.weight].uses.count == 1, layer.bias.map({ graph[$0].uses.count == 1 }) ?? true
    else { return false }
    switch node.operation {
    case OperationName("Conv"): break
    case OperationName("ConvTranspose"): guard call.int("group") == 1 else { return false }
    case OperationName("Gemm"):
      guard call.float("alpha") == 1, call.float("beta") == 1 else { return false }
    default: return false
    }
    guard node.inputs.count > 2, node.inputs[2] != nil else { return true }
    guard layer.biasOperand == 2, let bias = layer.bias.flatMap({ graph[$0].constant }) else {
      return false
    }
    return bias.hasData && bias.elementType == weight.elementType
      && bias.shape == [weight.shape[layer.outputAxis]]
  }

  private func perform(_ match: Match, _ graph: inout Graph) {
    let layer = match.layer
    let weight = graph[layer.weight].constant!
    graph.setTensor(
      of: layer.weight, to: Self.scale(weight, match.factor, alongAxis: layer.outputAxis))

    let old = layer.bias.map { graph[$0].constant!.floats.map(Double.init) }
    let bias = match.factor.indices.map { channel in
      Float(
        ((old?[channel] ?? 0) - match.mean[channel]) * match.factor[channel] + match.shift[channel])
    }
    let tensor = Tensor(rounding: bias, to: weight.elementType, shape: [bias.count])
    if let bias = layer.bias {
      graph.setTensor(of: bias, to: tensor)
    } else {
      let bias = graph.build(before: layer.node, stem: graph[layer.weight].name) {
        $0.addConstant(tensor, "folded_bias")
      }
      graph.setInput(2, of: layer.node, to: bias)
    }
    let normalization = graph[match.normalization]
    graph.addOrigins(of: match.normalization, to: layer.node)
    graph.addOrigins(
      of: normalization.inputs[1...4].map { Axis($0!, 0) },
      to: Axis(layer.weight, layer.outputAxis))
    graph.replaceAllUses(of: normalization.outputs[0]!, with: layer.result)
    graph.erase(match.normalization)
  }

  private static func scale(_ weight: Tensor, _ factor: [Double], alongAxis axis: Int) -> Tensor {
    var elements = weight.floats
    let inner = weight.shape[(axis + 1)...].reduce(1, *)
    for index in elements.indices {
      let channel = index / inner % factor.count
      elements[index] = Float(Double(elements[index]) * factor[channel])
    }
    return Tensor(rounding: elements, to: weight.elementType, shape: weight.shape)
  }
}
