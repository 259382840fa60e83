/// The metric of a model on labelled samples before and after pruning.
public struct AccuracyReport: Sendable, Encodable {
  public let before, after: MetricResult
  /// Number of the samples that passes have looked at, too.
  public let sharedWithCalibration: Int

  public init(before: MetricResult, after: MetricResult, sharedWithCalibration: Int) {
    (self.before, self.after) = (before, after)
    self.sharedWithCalibration = sharedWithCalibration
  }

  private enum CodingKeys: String, CodingKey {
    case before, after
    case sharedWithCalibration = "shared_with_calibration"
  }
}
