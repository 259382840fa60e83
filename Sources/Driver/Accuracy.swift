import Foundation

/// Accuracy of a classifier.
public struct Accuracy: Sendable, Encodable {
  /// Number of samples.
  public let items: Int
  /// Share of the samples whose label has the greatest score, or one of the five greatest; the latter where there are more than
  /// five classes.
  public let top1: Double
  public let top5: Double?

  public init(items: Int, top1: Double, top5: Double?) {
    (self.items, self.top1, self.top5) = (items, top1, top5)
  }

  /// As it is printed: `top-1 92.71 %, top-5 99.90 %`.
  public var text: String {
    String(format: "top-1 %.2f %%", top1 * 100)
      + (top5.map { String(format: ", top-5 %.2f %%", $0 * 100) } ?? "")
  }
}

/// The accuracy of a model before and after pruning.
public struct AccuracyReport: Sendable, Encodable {
  public let before, after: Accuracy
  /// Number of the samples that passes have looked at, too.
  public let sharedWithCalibration: Int

  public init(before: Accuracy, after: Accuracy, sharedWithCalibration: Int) {
    (self.before, self.after) = (before, after)
    self.sharedWithCalibration = sharedWithCalibration
  }

  private enum CodingKeys: String, CodingKey {
    case before, after
    case sharedWithCalibration = "shared_with_calibration"
  }
}
