/// A node that sums products of its data with constant weights: a convolution, a matrix product, or a
/// recurrent layer.
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
  /// The constant that a recurrent layer multiplies its own state with, and its axis that becomes the
  /// result's channels.
  public let recurrent: (weight: ValueID, outputAxis: Int)?
  public let result: ValueID
  /// The result's channel axis.
  public let resultAxis: Int

  /// The node as a linear layer, judged by the relations that its operator states: it sums over an
  /// axis of its data, and a constant of two or more axes gives the result its channels.
  public init?(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) {
    let node = graph[id]
    let relations = facts.relations(of: id)
    var sums: Set<AxisReference> = []
    for case .sum(let axis) in relations { sums.insert(axis) }
    guard !sums.isEmpty else { return nil }

    func constant(_ operand: Int) -> Tensor? {
      operand < node.inputs.count ? node.inputs[operand].flatMap { graph[$0].constant } : nil
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
      for axis in 0..<(constant(operand)?.rank ?? 0) {
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
    guard
      let weightOperand = node.inputs.indices.first(where: { (constant($0)?.rank ?? 0) >= 2 }),
      let weight = node.inputs[weightOperand], let output = channels(ofWeight: weightOperand),
      let dataSum = sums.filter({ sum in
        if case .operand(let operand) = sum.slot {
          return operand != weightOperand && constant(operand) == nil
        }
        return false
      }).min(by: { $0.axis < $1.axis }),
      case .operand(let dataOperand) = dataSum.slot, let data = node.inputs[dataOperand]
    else { return nil }
    let input = partners(dataSum).first { $0.slot == .operand(weightOperand) }

    let biasOperand = node.inputs.indices.first { operand in
      operand != weightOperand && constant(operand)?.rank == 1
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
        guard case .recurrence(let axis) = relation, case .operand(let operand) = axis.slot,
          let value = node.inputs[operand], let found = channels(ofWeight: operand)
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
