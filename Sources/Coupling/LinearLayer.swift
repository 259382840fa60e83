import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// A node that sums products of its data with weights: a convolution, a matrix product, or a recurrent
/// layer. Weights are constants, or computed from constants alone (dequantised, transposed).
package struct LinearLayer: Sendable {
  package let node: NodeID
  /// The data operand.
  package let data: ValueID
  /// The data's axis that is summed over.
  package let dataAxis: Int
  /// The weight, and its operand index.
  package let weight: ValueID
  package let weightOperand: Int
  /// The integer that stands for zero in the weight.
  package let weightZero: Int
  /// The weight's axis that becomes the result's channels.
  package let outputAxis: Int
  /// The weight's axis that meets `dataAxis`; `nil` where each group of channels has its own part of
  /// it (grouped and depthwise convolutions).
  package let inputAxis: Int?
  /// The vector of weights added to the result's channels, and its operand index.
  package let bias: ValueID?
  package let biasOperand: Int?
  /// The weight that a recurrent layer multiplies its own state with, and its axis that becomes the
  /// result's channels.
  package let recurrent: (weight: ValueID, outputAxis: Int)?
  package let result: ValueID
  /// The result's channel axis.
  package let resultAxis: Int

  /// The node as linear layers, judged by the relations that its operator states: it sums over an axis
  /// of its data, and a weight of two or more axes gives the result its channels. There is a layer
  /// for every axis that the weight gives; none where the node is no such thing.
  package static func layers(
    of id: NodeID, _ graph: Graph, _ facts: GraphFacts
  ) -> [LinearLayer] {
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
    /// The axes of a weight that become channels of a result, be it in several blocks (the gates of a
    /// recurrent layer), with the first result that has them.
    func channels(
      ofWeight operand: Int
    ) -> [(axis: Int, value: ValueID, result: AxisReference)] {
      (0..<(weightRank(operand) ?? 0)).compactMap { axis in
        let whole = AxisReference.operand(operand, axis: axis)
        let parts = relations.compactMap { relation in
          if case .section(let part, whole, _, _) = relation { part } else { nil }
        }
        for partner in ([whole] + parts).flatMap(partners) {
          if case .result(let index) = partner.slot, let value = node.outputs[index] {
            return (axis, value, partner)
          }
        }
        return nil
      }
    }
    /// Axes of data that are summed over, or that meet a coefficient.
    let sums = relations.compactMap { relation -> AxisReference? in
      switch relation {
      case .sum(let axis): axis
      case .coefficient(let axis, _): partners(axis).first
      default: nil
      }
    }
    func isData(_ axis: AxisReference) -> Bool {
      guard case .operand(let operand) = axis.slot else { return false }
      return node.inputs[operand].map { !facts.isFixed($0) } ?? false
    }
    guard !sums.isEmpty,
      let weightOperand = node.inputs.indices.first(where: { (weightRank($0) ?? 0) >= 2 }),
      let weight = node.inputs[weightOperand],
      let dataSum = sums.filter(isData).min(by: { $0.axis < $1.axis }),
      case .operand(let dataOperand) = dataSum.slot, let data = node.inputs[dataOperand]
    else { return [] }
    let inputAxis = partners(dataSum).first { $0.slot == .operand(weightOperand) }?.axis
    let recurrent = relations.lazy.compactMap { relation -> (weight: ValueID, outputAxis: Int)? in
      guard case .coefficient(let axis, _) = relation, case .operand(let operand) = axis.slot,
        operand != weightOperand, weightRank(operand) ?? 0 >= 2, let value = node.inputs[operand],
        let found = channels(ofWeight: operand).first
      else { return nil }
      return (value, found.axis)
    }.first
    let weightZero = relations.lazy.compactMap { relation -> Int? in
      guard case .coefficient(let axis, let zero) = relation, axis.slot == .operand(weightOperand)
      else { return nil }
      return zero
    }.first

    let made = channels(ofWeight: weightOperand)
    // An axis that the data has too, such as that of a batch of matrices, is not of the weight's making.
    let own = made.filter { !partners($0.result).contains { $0.slot == .operand(dataOperand) } }
    return (own.isEmpty ? Array(made.prefix(1)) : own).map { output in
      let biasOperand = node.inputs.indices.first { operand in
        operand != weightOperand && weightRank(operand) == 1
          && partners(.operand(operand, axis: 0)).contains(output.result)
      }
      return LinearLayer(
        node: id, data: data, dataAxis: dataSum.axis, weight: weight, weightOperand: weightOperand,
        weightZero: weightZero ?? 0, outputAxis: output.axis, inputAxis: inputAxis,
        bias: biasOperand.flatMap { node.inputs[$0] }, biasOperand: biasOperand,
        recurrent: recurrent, result: output.value, resultAxis: output.result.axis)
    }
  }

  /// All linear layers of a graph, in order of execution.
  package static func all(in graph: Graph, _ facts: GraphFacts) -> [LinearLayer] {
    graph.nodes.flatMap { layers(of: $0, graph, facts) }
  }
}
