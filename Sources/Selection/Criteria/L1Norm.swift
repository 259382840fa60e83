import PrunecTensors

/// Sum of magnitudes of the row (Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017).
public struct L1Norm: RowCriterion {
  public let name = "l1"
  public let summary = "sum of magnitudes of its weights"

  public init() {}

  public func rowScores(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float] {
    RowNorms.absoluteSums(weight, axis: axis, bias: bias)
  }
}

extension ChannelCriterion where Self == L1Norm {
  public static var l1: L1Norm { L1Norm() }
}
