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
/// 5. nothing but the layer uses its weight and bias: tied weights would otherwise become several;
/// 6. in the element type of the weights, folded weights and bias are finite and as precise as others of
///    that type: half precision has few exponents, and factors lead out of them.
package struct FoldBatchNorm: Pass {
  package static let name = "fold-batch-norm"
  package static let summary = "fold batch normalizations into the layers before them"
  package static let effect = Effect.preserving(tolerance: 1e-4)

  package init(options: inout OptionReader) throws(CompileError) {}

  private struct Match {
    let normalization: NodeID
    let layer: LinearLayer
    let weight: Tensor
    let bias: Tensor
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
    let tensor = graph[layer.weight].constant!
    let old = layer.bias.map { graph[$0].constant!.floats.map(Double.init) }
    let bias = factor.indices.map { channel in
      ((old?[channel] ?? 0) - Double(parameters[2][channel])) * factor[channel]
        + Double(parameters[1][channel])
    }
    guard
      let weight = Self.scale(tensor, factor, alongAxis: layer.outputAxis),
      let bias = Self.round(bias, to: tensor.elementType, scales: parameters[0])
    else { return nil }
    return Match(normalization: id, layer: layer, weight: weight, bias: bias)
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
    graph.setTensor(of: layer.weight, to: match.weight)
    if let bias = layer.bias {
      graph.setTensor(of: bias, to: match.bias)
    } else {
      let bias = graph.build(before: layer.node, stem: graph[layer.weight].name) {
        $0.addConstant(match.bias, "folded_bias")
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

  /// Largest part of a channel's magnitude that rounding may take: twice what rounding takes of a normal
  /// number of the type.
  private static func roundingLimit(_ type: ElementType) -> Double {
    type == .bfloat16 ? 0x1p-7 : 0x1p-10
  }

  /// The weights times the factors of their channels; `nil` where the element type cannot hold them.
  private static func scale(
    _ weight: Tensor, _ factor: [Double], alongAxis axis: Int
  ) -> Tensor? {
    let inner = weight.shape[(axis + 1)...].reduce(1, *)
    var elements = weight.floats
    for index in elements.indices {
      elements[index] = Float(Double(elements[index]) * factor[index / inner % factor.count])
    }
    let rounded = Tensor(rounding: elements, to: weight.elementType, shape: weight.shape)
    guard weight.elementType != .float32 else { return rounded }
    var (errors, magnitudes) = (
      [Double](repeating: 0, count: factor.count), [Double](repeating: 0, count: factor.count)
    )
    for (index, (exact, kept)) in zip(elements, rounded.floats).enumerated() {
      let channel = index / inner % factor.count
      errors[channel] = max(errors[channel], abs(Double(exact) - Double(kept)))
      magnitudes[channel] = max(magnitudes[channel], abs(Double(exact)))
    }
    let limit = roundingLimit(weight.elementType)
    return zip(errors, magnitudes).allSatisfy { $0 <= limit * $1 } ? rounded : nil
  }

  /// The bias in the element type of the weights; `nil` where that cannot hold it. What it loses is
  /// compared with the spread of the channel, which is the normalization's scale, where that is larger.
  private static func round(
    _ bias: [Double], to type: ElementType, scales: [Float]
  ) -> Tensor? {
    let rounded = Tensor(rounding: bias.map(Float.init), to: type, shape: [bias.count])
    guard type != .float32 else { return rounded }
    let (limit, numbers) = (roundingLimit(type), rounded.floats)
    let isPrecise = bias.indices.allSatisfy { channel in
      abs(bias[channel] - Double(numbers[channel]))
        <= limit * max(abs(bias[channel]), abs(Double(scales[channel])))
    }
    return isPrecise ? rounded : nil
  }
}
