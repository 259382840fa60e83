@_exported import Calibration

/// How the importance of a channel is measured. All but `bnScale` and `random` look at the rows of
/// the weights that make the channel, each with its bias appended as a last column.
public enum Criterion: String, Sendable, CaseIterable {
  /// Sum of magnitudes of the row (Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017).
  case l1
  /// Euclidean norm of the row.
  case l2
  /// Sum of Euclidean distances to all other rows of the layer: what lies near the geometric median
  /// can be spared (He et al., "Filter Pruning via Geometric Median", CVPR 2019, section 3.3; the
  /// relaxed form, which sums over the layer's own rows).
  case fpgm
  /// Magnitude of the batch normalization's scale (Liu et al., "Learning Efficient Convolutional
  /// Networks through Network Slimming", ICCV 2017).
  case bnScale = "bn-scale"
  /// A seeded random number: the baseline that the others have to beat.
  case random
}
