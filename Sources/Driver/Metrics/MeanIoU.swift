/// Mean intersection over union: over the classes that occur, the mean of
///
///     IoU(c) = |predicted c and labelled c| / |predicted c or labelled c|
///
/// counted over all places of all samples. See `ConfusionCounts` for scores and labels.
public struct MeanIoU: Metric {
  public let name = "miou"
  public let labels = MetricLabels.arrays(["y"])
  public let scale = MetricScale.share

  private var counts = ConfusionCounts()

  public init() {}

  public mutating func add(_ batch: EvaluatedBatch) throws(CompileError) { try counts.add(batch) }

  public func result() -> MetricResult {
    MetricResult(
      self, items: counts.items,
      value: counts.mean { both, predicted, labelled in
        both / (predicted + labelled - both)
      })
  }
}
