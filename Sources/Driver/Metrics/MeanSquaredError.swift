import PrunecGraphIR
import PrunecTensors

/// Mean over all elements of the first output o of the square of its difference from the labels,
///
///     mse = mean (o - y)^2
///
/// with y an array of the output's shape, axes of extent one aside. Less is better.
public struct MeanSquaredError: Metric {
  public let name = "mse"
  public let labels = MetricLabels.arrays(["y"])
  public let scale = MetricScale.number(isLowerBetter: true)

  private var (items, elements) = (0, 0)
  private var sum = 0.0

  public init() {}

  public mutating func add(_ batch: EvaluatedBatch) throws(CompileError) {
    let (output, y) = (try batch.firstOutput(), batch.y)
    guard output.shape.first == y.shape.first,
      output.shape.filter({ $0 != 1 }) == y.shape.filter({ $0 != 1 })
    else {
      throw CompileError(
        .usage, "its first output has shape \(output.shape), and the labels y \(y.shape)")
    }
    items += batch.items.count
    elements += output.count
    for (made, wanted) in zip(output.floats, y.floats) {
      let difference = Double(made) - Double(wanted)
      sum += difference * difference
    }
  }

  public func result() -> MetricResult {
    MetricResult(self, items: items, value: sum / Double(elements))
  }
}
