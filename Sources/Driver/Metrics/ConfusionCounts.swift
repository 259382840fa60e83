import PrunecGraphIR
import PrunecTensors

/// Counts of how often each class is predicted and labelled, for metrics over classes.
///
/// The model's first output has the scores of classes along axis 1, `[N, C, ...]`, the labels are class numbers
/// `[N, ...]`, or `[N, 1, ...]`. The class of the greatest score is predicted, the lower of equal ones; none where a score is NaN.
/// A negative label, or 255 where there are fewer classes, says that a place has no label: it does not count.
struct ConfusionCounts: Sendable {
  private(set) var items = 0
  /// For each class, the places that are predicted and labelled so.
  private(set) var both: [Int] = []
  private(set) var predicted: [Int] = []
  private(set) var labelled: [Int] = []

  private static let unlabelled = 255

  /// Adds a batch.
  ///
  /// Throws a usage error for shapes that do not belong together, and a malformed error for a label that is no class.
  mutating func add(_ batch: EvaluatedBatch) throws(CompileError) {
    let (output, y) = (try batch.firstOutput(), batch.y)
    guard output.rank >= 2, output.shape[0] == batch.items.count, output.shape[1] > 1,
      [output.shape[0]] + output.shape[2...] == y.shape
        || [output.shape[0], 1] + output.shape[2...] == y.shape
    else {
      throw CompileError(
        .usage,
        "its first output has shape \(output.shape), not [N, classes, ...] for labels y \(y.shape)")
    }
    guard y.elementType.isInteger else {
      throw CompileError(
        .malformed, "array 'y' is \(y.elementType.name); class numbers are integers")
    }
    let classes = output.shape[1]
    if both.isEmpty {
      let zeros = [Int](repeating: 0, count: classes)
      (both, predicted, labelled) = (zeros, zeros, zeros)
    }
    guard both.count == classes else {
      throw CompileError(.usage, "its first output has \(both.count) classes, and \(classes) then")
    }
    items += batch.items.count
    let places = output.shape[2...].reduce(1, *)
    let (scores, labels) = (output.floats, y.integers)
    for (row, item) in batch.items.enumerated() {
      for place in 0..<places {
        let label = labels[row * places + place]
        if label < 0 || (label == Self.unlabelled && classes <= Self.unlabelled) { continue }
        guard label < classes else {
          throw CompileError(
            .malformed, "label \(label) of item \(item) is none of \(classes) classes")
        }
        labelled[label] += 1
        let first = row * classes * places + place
        guard let best = Self.greatest(scores, from: first, stride: places, count: classes)
        else { continue }
        predicted[best] += 1
        if best == label { both[label] += 1 }
      }
    }
  }

  /// The place of the greatest of `count` elements; `nil` where one is NaN.
  private static func greatest(
    _ elements: [Float], from first: Int, stride: Int, count: Int
  ) -> Int? {
    var best = 0
    for index in 0..<count {
      let element = elements[first + index * stride]
      if element.isNaN { return nil }
      if element > elements[first + best * stride] { best = index }
    }
    return best
  }

  /// The mean of a measure over the classes that are predicted or labelled anywhere; 0 where none is. `measure` gets a class's
  /// counts: both, predicted, labelled.
  func mean(_ measure: (_ both: Double, _ predicted: Double, _ labelled: Double) -> Double)
    -> Double
  {
    let occurring = both.indices.filter { predicted[$0] + labelled[$0] > 0 }
    let sum = occurring.reduce(0.0) {
      $0 + measure(Double(both[$1]), Double(predicted[$1]), Double(labelled[$1]))
    }
    return occurring.isEmpty ? 0 : sum / Double(occurring.count)
  }
}
