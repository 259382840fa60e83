import PrunecGraphIR
import PrunecTensors

/// Share of the samples whose label has the greatest of the scores `[N, classes]` that are the model's first output.
///
/// Ties go to the lower class. A sample with a score that is NaN is wrong.
public struct Top1: Metric {
  public let name = "top-1"
  public let labels = MetricLabels.classes
  public let scale = MetricScale.share

  private var (items, right, rightOfFive, undefined, classes) = (0, 0, 0, 0, 0)

  public init() {}

  public mutating func add(_ batch: EvaluatedBatch) throws(CompileError) {
    let logits = try batch.firstOutput()
    guard logits.rank >= 2, logits.shape[0] == batch.items.count,
      logits.shape[1...].filter({ $0 != 1 }).count == 1, logits.count > 0
    else {
      throw CompileError(.usage, "its first output has shape \(logits.shape), not [N, classes]")
    }
    classes = logits.shape[1...].reduce(1, *)
    let scores = logits.floats
    for (row, (item, label)) in zip(batch.items, batch.y.integers).enumerated() {
      guard (0..<classes).contains(label) else {
        throw CompileError(
          .malformed, "label \(label) of item \(item) is none of \(classes) classes")
      }
      items += 1
      let own = Array(scores[(row * classes)..<((row + 1) * classes)])
      if own.contains(where: \.isNaN) {
        undefined += 1
        continue
      }
      // Ties go to the lower class, as everywhere.
      let better = (0..<classes).count {
        own[$0] > own[label] || (own[$0] == own[label] && $0 < label)
      }
      right += better == 0 ? 1 : 0
      rightOfFive += better < 5 ? 1 : 0
    }
  }

  public func result() -> MetricResult {
    let share = Double(right) / Double(items)
    var result = MetricResult(self, items: items, value: share)
    result.top1 = share
    if classes > 5 { result.top5 = Double(rightOfFive) / Double(items) }
    if undefined > 0 {
      result.caution =
        "\(undefined) of \(items) items have a score that is NaN, and count as wrong"
    }
    return result
  }
}
