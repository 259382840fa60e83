/// A node that sums products of its data with constant weights: a convolution or a matrix product.
public struct LinearLayer: Sendable {
  public let node: NodeID
  /// The data operand.
  public let data: ValueID
  /// The data's axis that is summed over.
  public let dataAxis: Int
  /// The constant weight, and its operand index.
  public let weight: ValueID
  public let weightOperand: Int
  /// The weight's axis that becomes the result's channels.
  public let outputAxis: Int
  /// The weight's axis that meets `dataAxis`; `nil` where each group of channels has its own part of
  /// it (grouped and depthwise convolutions).
  public let inputAxis: Int?
  /// The constant vector added to the result's channels, and its operand index.
  public let bias: ValueID?
  public let biasOperand: Int?
  public let result: ValueID
  /// The result's channel axis.
  public let resultAxis: Int

  /// The node as linear layers, judged by the relations that its operator states: it sums over an axis
  /// of its data, and a constant of two or more axes gives the result its channels. There is a layer
  /// for every axis that the constant gives; none where the node is no such thing.
  public static func layers(
    of id: NodeID, _ graph: Graph, _ facts: GraphFacts
  ) -> [LinearLayer] {
    let node = graph[id]
    let relations = facts.relations(of: id)
    var sums: Set<AxisReference> = []
    for case .sum(let axis) in relations { sums.insert(axis) }
    guard !sums.isEmpty, let result = node.outputs.first.flatMap({ $0 }) else { return [] }

    func constant(_ operand: Int) -> Tensor? {
      operand < node.inputs.count ? node.inputs[operand].flatMap { graph[$0].constant } : nil
    }
    /// The axes that `axis` is declared equal to, in either order.
    func partners(_ axis: AxisReference) -> [AxisReference] {
      relations.compactMap { relation in
        guard case .equal(let a, let b) = relation else { return nil }
        return a == axis ? b : (b == axis ? a : nil)
      }
    }
    guard
      let weightOperand = node.inputs.indices.first(where: { (constant($0)?.rank ?? 0) >= 2 }),
      let weight = node.inputs[weightOperand],
      let dataSum = sums.filter({ sum in
        if case .operand(let operand) = sum.slot {
          return operand != weightOperand && constant(operand) == nil
        }
        return false
      }).min(by: { $0.axis < $1.axis }),
      case .operand(let dataOperand) = dataSum.slot, let data = node.inputs[dataOperand]
    else { return [] }
    let inputAxis = partners(dataSum).first { $0.slot == .operand(weightOperand) }?.axis

    var made: [(axis: Int, result: AxisReference)] = []
    for axis in 0..<constant(weightOperand)!.rank {
      for partner in partners(.operand(weightOperand, axis: axis)) where partner.slot == .result(0)
      {
        made.append((axis, partner))
      }
    }
    // An axis that the data has too, such as that of a batch of matrices, is not of the weight's making.
    let own = made.filter { !partners($0.result).contains { $0.slot == .operand(dataOperand) } }
    return (own.isEmpty ? Array(made.prefix(1)) : own).map { output in
      let biasOperand = node.inputs.indices.first { operand in
        operand != weightOperand && constant(operand)?.rank == 1
          && partners(.operand(operand, axis: 0)).contains(output.result)
      }
      return LinearLayer(
        node: id, data: data, dataAxis: dataSum.axis, weight: weight, weightOperand: weightOperand,
        outputAxis: output.axis, inputAxis: inputAxis,
        bias: biasOperand.flatMap { node.inputs[$0] },
        biasOperand: biasOperand, result: result, resultAxis: output.result.axis)
    }
  }

  /// All linear layers of a graph, in order of execution.
  public static func all(in graph: Graph, _ facts: GraphFacts) -> [LinearLayer] {
    graph.nodes.flatMap { layers(of: $0, graph, facts) }
  }
}
