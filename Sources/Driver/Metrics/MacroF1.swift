/// Macro-averaged F1: over the classes that occur, the mean of the harmonic mean of precision and recall,
///
///     F1(c) = 2 |predicted c and labelled c| / (|predicted c| + |labelled c|)
///
/// counted over all places of all samples. See `ConfusionCounts` for scores and labels.
public struct MacroF1: Metric {
  public let name = "f1"
  public let labels = MetricLabels.arrays(["y"])
  public let scale = MetricScale.share

  private var counts = ConfusionCounts()

  public init() {}

  public mutating func add(_ batch: EvaluatedBatch) throws(CompileError) { try counts.add(batch) }

  public func result() -> MetricResult {
    MetricResult(
      self, items: counts.items,
      value: counts.mean { both, predicted, labelled in
        2 * both / (predicted + labelled)
      })
  }
}
