import Foundation
import PrunecGraphIR
import PrunecTensors

/// A measure of how well a model does on labelled samples, added up batch by batch.
public protocol Metric: Sendable {
  /// As `--metric` and reports call it.
  var name: String { get }
  /// The labels that it holds outputs against.
  var labels: MetricLabels { get }
  /// Meaning of a change of its value.
  var scale: MetricScale { get }
  /// Adds what a model made of a batch.
  ///
  /// Throws a usage error where the outputs are not what the metric is about, and a malformed error for labels that are wrong.
  mutating func add(_ batch: EvaluatedBatch) throws(CompileError)
  /// The value for all batches so far.
  ///
  /// Throws where a metric that is a graph cannot be run.
  func result() throws(CompileError) -> MetricResult
}

/// The labels that a metric asks of a set of samples.
public enum MetricLabels: Sendable, Hashable {
  /// A class number for each sample, which an archive has as integers `y` and images have by their folders.
  case classes
  /// Arrays of these names beside the inputs', samples along the first axis.
  case arrays([String])
}

/// Meaning of a metric's value, and how a loss of it is counted.
public enum MetricScale: Sendable, Hashable {
  /// A share from 0 to 1 of which more is better; a loss is counted in percentage points.
  case share
  /// A number of any size; a loss is counted in percent of what it was.
  case number(isLowerBetter: Bool)

  /// The loss where a value becomes another: above zero where it becomes worse, infinite where it becomes no number.
  public func loss(from before: Double, to after: Double) -> Double {
    guard after.isFinite, before.isFinite else { return .infinity }
    switch self {
    case .share: return 100 * (before - after)
    case .number(let isLowerBetter):
      let change = isLowerBetter ? after - before : before - after
      if change == 0 { return 0 }
      return before == 0 ? (change > 0 ? .infinity : -.infinity) : 100 * change / abs(before)
    }
  }

  /// The unit of a loss.
  public var lossUnit: String { self == .share ? "points" : "%" }
}

/// Outputs of a model for some samples, and their labels.
public struct EvaluatedBatch: Sendable {
  /// The outputs in the model's order, `[N, ...]` where they have an axis of samples.
  public let outputs: [(name: String, tensor: Tensor)]
  /// By name, the labels `[N, ...]`; class numbers are called `y`.
  public let labels: [String: Tensor]
  /// The numbers of the samples in their set, N of them.
  public let items: [Int]

  /// Takes the first samples of `outputs` and `labels`, as many as there are `items`: what comes after them fills up a batch of
  /// `size`.
  public init(
    outputs: [(name: String, tensor: Tensor)], labels: [String: Tensor], items: [Int], size: Int
  ) {
    func cut(_ tensor: Tensor) -> Tensor {
      guard tensor.rank > 0, tensor.shape[0] == size, size > items.count else { return tensor }
      return tensor.slice(0..<items.count, alongAxis: 0)
    }
    self.outputs = outputs.map { ($0.name, cut($0.tensor)) }
    self.labels = labels.mapValues(cut)
    self.items = items
  }

  /// The first output. Throws a usage error where the model has none.
  func firstOutput() throws(CompileError) -> Tensor {
    guard let output = outputs.first else {
      throw CompileError(.usage, "a model that is measured has an output, this has none")
    }
    return output.tensor
  }

  /// The labels of the name `y`.
  var y: Tensor { labels["y"] ?? Tensor([Int]()) }
}

/// Value of a metric for a model.
public struct MetricResult: Sendable, Encodable {
  public let metric: String
  /// Number of samples.
  public let items: Int
  public let value: Double
  /// Share of the samples whose label has the greatest score, and, where there are more than five classes, one of the five
  /// greatest; of the metric `top-1` alone.
  public internal(set) var top1: Double?
  public internal(set) var top5: Double?
  /// Caution for the user about the value.
  public internal(set) var caution: String?
  private let isShare: Bool

  init(_ metric: some Metric, items: Int, value: Double) {
    self.metric = metric.name
    self.items = items
    self.value = value
    isShare = metric.scale == .share
  }

  /// As it is printed: `top-1 92.71 %, top-5 99.90 %`, `mse 0.01234`.
  public var text: String {
    "\(metric) \(valueText)"
      + (top5.map { String(format: ", top-5 %.2f %%", $0 * 100) } ?? "")
  }

  private var valueText: String {
    isShare ? String(format: "%.2f %%", value * 100) : String(format: "%.4g", value)
  }

  private enum CodingKeys: String, CodingKey { case metric, items, value, top1, top5 }
}
