import Foundation
import PrunecTensors

/// Distance of a changed model's outputs from the original's.
///
/// | output | measure |
/// | --- | --- |
/// | probabilities: none below zero, each row adds up to one | Kullback-Leibler divergence of the rows |
/// | class scores `[N, C]`, or with further axes of extent one | the same, of their softmax |
/// | anything else | mean squared difference over the original's variance |
///
/// Rows run along axis 1 of two axes, along the last axis of more. The divergence of the model is the sum over its outputs of
/// floating point numbers.
package struct OutputDivergence: Sendable {
  private var total = 0.0
  private var weight = 0.0
  private var agreeing = 0.0
  private var rows = 0.0

  package init() {}

  /// Mean divergence; 0 for none.
  package var mean: Double { weight > 0 ? total / weight : 0 }

  /// Share of the rows of classes whose greatest element is the same; `nil` where there are no classes.
  package var agreement: Double? { rows > 0 ? agreeing / rows : nil }

  /// Adds the outputs of a batch, of which the first `sampleCount` samples count.
  package mutating func add(_ changed: [Tensor], original: [Tensor], sampleCount: Int) {
    var sum = 0.0
    for (now, before) in zip(changed, original)
    where before.elementType.isFloatingPoint && before.shape == now.shape && before.count > 0 {
      sum += divergence(now, before, sampleCount)
    }
    total += sum * Double(sampleCount)
    weight += Double(sampleCount)
  }

  private mutating func divergence(_ now: Tensor, _ before: Tensor, _ samples: Int) -> Double {
    let share =
      before.shape.first.map { $0 > 0 ? min(1, Double(samples) / Double($0)) : 1 } ?? 1
    let (p, q) = (before.floats, now.floats)
    let scored = ClassScores.classCount(ofShape: before.shape)
    let classes = scored ?? before.shape.last ?? 1
    let count = max(1, Int(Double(p.count / max(1, classes)) * share))
    if classes > 1, ClassScores.areProbabilities(p, classes) {
      return meanOfRows(count, classes, p, q) { Self.divergence(of: $0, from: $1) }
    }
    if scored != nil {
      return meanOfRows(count, classes, p, q) {
        Self.divergence(of: ClassScores.softmax($0), from: ClassScores.softmax($1))
      }
    }
    return Self.relativeChange(q, p)
  }

  private mutating func meanOfRows(
    _ count: Int, _ classes: Int, _ p: [Float], _ q: [Float],
    _ divergence: ([Double], [Double]) -> Double
  ) -> Double {
    var sum = 0.0
    for row in 0..<count {
      let range = (row * classes)..<((row + 1) * classes)
      let (before, now) = (p[range].map(Double.init), q[range].map(Double.init))
      sum += divergence(before, now)
      rows += 1
      if Self.greatest(before) == Self.greatest(now) { agreeing += 1 }
    }
    return sum / Double(count)
  }

  private static func greatest(_ row: [Double]) -> Int {
    row.indices.reduce(0) { row[$1] > row[$0] ? $1 : $0 }
  }

  /// `sum p log(p / q)`; infinite where q is no number.
  private static func divergence(of p: [Double], from q: [Double]) -> Double {
    var sum = 0.0
    for (a, b) in zip(p, q) where a > 0 { sum += a * log(a / max(b, 1e-12)) }
    return sum.isFinite ? max(0, sum) : .infinity
  }

  private static func relativeChange(_ now: [Float], _ before: [Float]) -> Double {
    let mean = before.reduce(0.0) { $0 + Double($1) } / Double(before.count)
    var (error, power) = (0.0, 0.0)
    for (a, b) in zip(before, now) {
      error += (Double(a) - Double(b)) * (Double(a) - Double(b))
      power += (Double(a) - mean) * (Double(a) - mean)
    }
    guard error.isFinite else { return .infinity }
    return power > 0 ? error / power : error
  }
}
