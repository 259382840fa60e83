import PrunecCoupling
import PrunecGraphIR
import PrunecSemantics
import PrunecTensors

/// A criterion that looks at nothing but the rows of the weights that make a channel, each with its bias
/// appended as a last column.
public protocol RowCriterion: ChannelCriterion {
  /// The score of each row of `weight` along `axis`. `bias`, if given, has one element a row.
  func rowScores(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float]
}

extension RowCriterion {
  public func scores(for inputs: ScoringInputs) throws(CompileError) -> [[Float]?] {
    var scores: [Axis: [Float]] = [:]
    func score(_ weight: ValueID, axis index: Int, bias: ValueID? = nil, zero: Int = 0) {
      let axis = Axis(weight, index)
      guard scores[axis] == nil, inputs.coupling.isCuttable(axis),
        var weight = inputs.facts.fixedTensor(of: weight)
      else { return }
      if zero != 0 { weight = Tensor(weight.floats.map { $0 - Float(zero) }, shape: weight.shape) }
      let bias = bias.flatMap { inputs.facts.fixedTensor(of: $0) }
      scores[axis] = rowScores(weight, axis: index, bias: bias)
    }
    for layer in inputs.layers {
      score(layer.weight, axis: layer.outputAxis, bias: layer.bias, zero: layer.weightZero)
      if let (weight, axis) = layer.recurrent { score(weight, axis: axis) }
    }
    return inputs.groupScores(fromAxes: scores)
  }
}
