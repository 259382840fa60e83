import Foundation
import PrunecTensors

/// Scores of classes, as outputs of models hold them.
enum ClassScores {
  /// Number of the classes, two or more, of which outputs `[N, C]`, or with further axes of extent one, hold a score; `nil` for
  /// other shapes.
  static func classCount(ofShape shape: [Int]) -> Int? {
    guard shape.count >= 2, shape[1] > 1, shape[2...].allSatisfy({ $0 == 1 }) else { return nil }
    return shape[1]
  }

  /// Whether none is below zero and each row adds up to one.
  static func areProbabilities(_ elements: [Float], _ classes: Int) -> Bool {
    guard elements.allSatisfy({ $0 >= 0 }) else { return false }
    for start in stride(from: 0, to: elements.count, by: classes) {
      let sum = elements[start..<(start + classes)].reduce(0, +)
      if abs(sum - 1) > 1e-2 { return false }
    }
    return true
  }

  static func softmax(_ row: [Double]) -> [Double] {
    let greatest = row.max() ?? 0
    let powers = row.map { exp($0 - greatest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  /// Logarithms of the probabilities that rows of an output give their `classes`, one for each row; those of scores by softmax.
  static func logProbabilities(of classes: [Int], in output: Tensor) -> [Double]? {
    guard output.elementType.isFloatingPoint, let count = classCount(ofShape: output.shape),
      output.shape[0] == classes.count
    else { return nil }
    let elements = output.floats
    let areProbabilities = areProbabilities(elements, count)
    return classes.enumerated().map { row, wanted in
      let scores = elements[(row * count)..<((row + 1) * count)].map(Double.init)
      let probability = (areProbabilities ? scores : softmax(scores))[wanted]
      return log(max(probability.isFinite ? probability : 0, 1e-30))
    }
  }
}
