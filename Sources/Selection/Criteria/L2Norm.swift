import PrunecTensors

/// Euclidean norm of the row.
public struct L2Norm: RowCriterion {
  public let name = "l2"
  public let summary = "Euclidean norm of its weights"

  public init() {}

  public func rowScores(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float] {
    RowNorms.euclidean(weight, axis: axis, bias: bias)
  }
}

extension ChannelCriterion where Self == L2Norm {
  public static var l2: L2Norm { L2Norm() }
}
