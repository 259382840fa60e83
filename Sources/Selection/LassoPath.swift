import Foundation

/// The solutions of
///
///     minimise over beta  1/2 (1 - beta)^T G (1 - beta) + lambda |beta|_1
///
/// for decreasing lambdas, by coordinate descent from the solution before (Friedman, Hastie and Tibshirani, "Regularization
/// Paths for Generalized Linear Models via Coordinate Descent", Journal of Statistical Software 2010, section 2).
struct LassoPath {
  private let gram: [Double]
  private let count: Int
  private var factors: [Double]
  /// `G (1 - beta)`.
  private var gradients: [Double]

  /// Number of lambdas, and the last as a part of the first.
  private static let (length, last) = (100, 1e-4)
  /// Rounds over all coordinates for one lambda, and the change of the greatest gradient that ends them.
  private static let (roundLimit, tolerance) = (50, 1e-6)

  /// `gram` is `G [count, count]`, symmetric and positive semidefinite.
  init(gram: [Double], count: Int) {
    (self.gram, self.count) = (gram, count)
    factors = [Double](repeating: 0, count: count)
    gradients = (0..<count).map { row in
      (0..<count).reduce(0) { $0 + gram[row * count + $1] }
    }
  }

  /// For each coordinate the lambda at which it is first not zero. Of those that two neighbouring lambdas lie between, and those that
  /// never are, the gradients tell which would come first.
  mutating func entries() -> [Double] {
    var entries = [Double?](repeating: nil, count: count)
    let greatest = gradients.reduce(0) { max($0, abs($1)) }
    guard greatest > 0 else { return gradients }
    var above = greatest
    for step in 1...Self.length {
      let lambda = greatest * pow(Self.last, Double(step) / Double(Self.length))
      let before = gradients
      solve(lambda, scale: greatest)
      for index in 0..<count where entries[index] == nil && factors[index] != 0 {
        entries[index] = min(above, max(lambda, abs(before[index])))
      }
      above = lambda
    }
    return (0..<count).map { entries[$0] ?? min(above, abs(gradients[$0])) }
  }

  private mutating func solve(_ lambda: Double, scale: Double) {
    for _ in 0..<Self.roundLimit {
      var change = 0.0
      for index in 0..<count {
        let curvature = gram[index * count + index]
        guard curvature > 0 else { continue }
        let pull = gradients[index] + curvature * factors[index]
        let size = max(0, abs(pull) - lambda) / curvature
        let difference = (pull < 0 ? -size : size) - factors[index]
        guard difference != 0 else { continue }
        factors[index] += difference
        change = max(change, abs(difference) * curvature)
        follow(index, difference)
      }
      if change <= Self.tolerance * scale { return }
    }
  }

  /// Brings the gradients up to date after a factor has grown by `difference`.
  private mutating func follow(_ index: Int, _ difference: Double) {
    let (gram, row) = (gram, index * count)
    gram.withUnsafeBufferPointer { gram in
      gradients.withUnsafeMutableBufferPointer { gradients in
        for other in gradients.indices { gradients[other] -= gram[row + other] * difference }
      }
    }
  }
}
