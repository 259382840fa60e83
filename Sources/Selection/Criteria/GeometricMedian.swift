import PrunecTensors

/// Sum of Euclidean distances to all other rows of the layer: what lies near the geometric median can be
/// spared (He et al., "Filter Pruning via Geometric Median", CVPR 2019, section 3.3; the relaxed form, which
/// sums over the layer's own rows).
public struct GeometricMedian: RowCriterion {
  public let name = "fpgm"
  public let summary = "distance of its weights to those of the layer's other channels"

  public init() {}

  public func rowScores(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float] {
    RowMatrix(weight, axis: axis, bias: bias).distanceSums
  }
}

extension ChannelCriterion where Self == GeometricMedian {
  public static var fpgm: GeometricMedian { GeometricMedian() }
}
