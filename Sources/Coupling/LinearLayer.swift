/// A node that sums products of its data with weights: a convolution, a matrix product, or a recurrent
/// layer. Weights are constants, or computed from constants alone (dequantised, transposed).
public struct LinearLayer: Sendable {
  public let node: NodeID
  /// The data operand.
  public let data: ValueID
  /// The data's axis that is summed over.
  public let dataAxis: Int
  /// The weight, and its operand index.
  public let weight: ValueID
  public let weightOperand: Int
  /// The weight's axis that becomes the result's channels.
  public let outputAxis: Int
  /// The weight's axis that meets `dataAxis`; `nil` where each group of channels has its own part of
  /// it (grouped and depthwise convolutions).
  public let inputAxis: Int?
  /// The vector of weights added to the result's channels, and its operand index.
  public let bias: ValueID?
  public let biasOperand: Int?
  /// The weight that a recurrent layer multiplies its own state with, and its axis that becomes the
  /// result's channels.
  public let recurrent: (weight: ValueID, outputAxis: Int)?
  public let result: ValueID
  /// The result's channel axis.
  public let resultAxis: Int

  /// The node as a linear layer, judged by the relations that its operator states: it sums over an
  /// axis of its data, and a weight of two or more axes gives the result its channels.
  public init?(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) {
    let node = graph[id]
    let relations = facts.relations(of: id)
    func weightRank(_ operand: Int) -> Int? {
      node.inputs[operand].flatMap { facts.isFixed($0) ? facts[$0].rank : nil }
    }
    /// The axis that `axis` is declared equal to, in either order.
    func partners(_ axis: AxisReference) -> [AxisReference] {
      relations.compactMap { relation in
        guard case .equal(let a, let b) = relation else { return nil }
        return a == axis ? b : (b == axis ? a : nil)
      }
    }
    /// The result's axis that is declared equal to `axis`, of the first result that has one.
    func resultMade(of axis: AxisReference) -> (value: ValueID, axis: AxisReference)? {
      for partner in partners(axis) {
        if case .result(let index) = partner.slot, let value = node.outputs[index] {
          return (value, partner)
        }
      }
      return nil
    }
    /// The axis of a weight that becomes channels of a result, be it in several blocks (the gates of a
    /// recurrent layer).
    func channels(ofWeight operand: Int) -> (axis: Int, value: ValueID, result: AxisReference)? {
      for axis in 0..<(weightRank(operand) ?? 0) {
        let whole = AxisReference.operand(operand, axis: axis)
        let parts = relations.compactMap { relation in
          if case .section(let part, whole, _, _) = relation { part } else { nil }
        }
        for source in [whole] + parts {
          if let found = resultMade(of: source) { return (axis, found.value, found.axis) }
        }
      }
      return nil
    }
    /// Axes of data that are summed over, or that meet a coefficient.
    let sums = relations.compactMap { relation -> AxisReference? in
      switch relation {
      case .sum(let axis): axis
      case .coefficient(let axis): partners(axis).first
      default: nil
      }
    }
    func isData(_ axis: AxisReference) -> Bool {
      guard case .operand(let operand) = axis.slot else { return false }
      return node.inputs[operand].map { !facts.isFixed($0) } ?? false
    }
    guard
      let weightOperand = node.inputs.indices.first(where: { (weightRank($0) ?? 0) >= 2 }),
      let weight = node.inputs[weightOperand], let output = channels(ofWeight: weightOperand),
      let dataSum = sums.first(where: isData),
      case .operand(let dataOperand) = dataSum.slot, let data = node.inputs[dataOperand]
    else { return nil }
    let input = partners(dataSum).first { $0.slot == .operand(weightOperand) }

    let biasOperand = node.inputs.indices.first { operand in
      operand != weightOperand && weightRank(operand) == 1
        && partners(.operand(operand, axis: 0)).contains(output.result)
    }
    self.node = id
    self.data = data
    dataAxis = dataSum.axis
    self.weight = weight
    self.weightOperand = weightOperand
    outputAxis = output.axis
    inputAxis = input?.axis
    self.biasOperand = biasOperand
    bias = biasOperand.flatMap { node.inputs[$0] }
    recurrent =
      relations.lazy.compactMap { relation in
        guard case .coefficient(let axis) = relation, case .operand(let operand) = axis.slot,
          operand != weightOperand, let value = node.inputs[operand],
          let found = channels(ofWeight: operand)
        else { return nil }
        return (value, found.axis)
      }.first
    self.result = output.value
    resultAxis = output.result.axis
  }

  /// All linear layers of a graph, in order of execution.
  public static func all(in graph: Graph, _ facts: GraphFacts) -> [LinearLayer] {
    graph.nodes.compactMap { LinearLayer($0, graph, facts) }
  }
}
