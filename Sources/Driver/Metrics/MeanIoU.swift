/// Mean intersection over union: over the classes that occur, the mean of
///
///     IoU(c) = |predicted c and labelled c| / |predicted c or labelled c|
public struct MeanIoU: ConfusionMetric {
  public let name = "miou"
  var counts = ConfusionCounts()

  public init() {}

  static func measure(both: Double, predicted: Double, labelled: Double) -> Double {
    both / (predicted + labelled - both)
  }
}
