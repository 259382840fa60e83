import PrunecGraphIR

/// A metric that is the mean of a measure over the classes that occur, counted over all places of all samples. See
/// `ConfusionCounts` for scores and labels.
protocol ConfusionMetric: Metric {
  var counts: ConfusionCounts { get set }
  /// The measure of a class that is predicted or labelled anywhere, by how often it is both, predicted, and labelled.
  static func measure(both: Double, predicted: Double, labelled: Double) -> Double
}

extension ConfusionMetric {
  public var labels: MetricLabels { .arrays(["y"]) }
  public var scale: MetricScale { .share }

  public mutating func add(_ batch: EvaluatedBatch) throws(CompileError) { try counts.add(batch) }

  public func result() -> MetricResult {
    MetricResult(self, items: counts.items, value: counts.mean(Self.measure))
  }
}
