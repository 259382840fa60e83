import Glibc

/// What a reduction computes from a set of elements.
enum ReduceFormula: Sendable {
  case sum, mean, max, min, product, sumSquare, l1, l2, logSum, logSumExp

  var isExtremum: Bool { self == .max || self == .min }

  /// What further elements must be so as never to change the result; `nil` where no mask makes them so.
  var ignored: Mask.Fill? {
    switch self {
    case .sum, .sumSquare, .l1, .l2, .logSum: .zero
    case .mean: .mean
    case .max, .logSumExp: .lowest
    case .min: .highest
    case .product: nil
    }
  }

  /// The kernels' name for it, where they have it.
  var kernel: ReductionKind? {
    switch self {
    case .sum: .sum
    case .mean: .mean
    case .max: .maximum
    case .min: .minimum
    case .product: .product
    case .sumSquare: .sumOfSquares
    case .l1: .l1
    case .l2: .l2
    case .logSum, .logSumExp: nil
    }
  }

  /// Reduces `elements`, of which each goes to the result with the index in `targets`.
  func reduce(_ elements: [Double], _ targets: [Int], count: Int) -> [Double] {
    func fold(_ initial: Double, _ combine: (inout Double, Double) -> Void) -> [Double] {
      var results = [Double](repeating: initial, count: count)
      for (element, target) in zip(elements, targets) { combine(&results[target], element) }
      return results
    }
    switch self {
    case .sum: return fold(0) { $0 += $1 }
    case .mean:
      let size = Double(elements.count) / Double(count)
      return fold(0) { $0 += $1 }.map { $0 / size }
    case .max: return fold(-.infinity) { $0 = Swift.max($0, $1) }
    case .min: return fold(.infinity) { $0 = Swift.min($0, $1) }
    case .product: return fold(1) { $0 *= $1 }
    case .sumSquare: return fold(0) { $0 += $1 * $1 }
    case .l1: return fold(0) { $0 += abs($1) }
    case .l2: return fold(0) { $0 += $1 * $1 }.map { $0.squareRoot() }
    case .logSum: return fold(0) { $0 += $1 }.map { log($0) }
    case .logSumExp:
      // Relative to the greatest element, so that no exponential overflows.
      let greatest = ReduceFormula.max.reduce(elements, targets, count: count)
      var sums = [Double](repeating: 0, count: count)
      for (element, target) in zip(elements, targets) where greatest[target].isFinite {
        sums[target] += exp(element - greatest[target])
      }
      return zip(greatest, sums).map { $0.isFinite ? $0 + log($1) : $0 }
    }
  }

  /// The same of integers, modulo 2^64; what is not a whole number is truncated. `range` is that of
  /// their type.
  func reduce(
    _ elements: [Int], _ targets: [Int], count: Int, range: ClosedRange<Int>
  ) -> [Int] {
    func fold(_ initial: Int, _ combine: (inout Int, Int) -> Void) -> [Int] {
      var results = [Int](repeating: initial, count: count)
      for (element, target) in zip(elements, targets) { combine(&results[target], element) }
      return results
    }
    switch self {
    case .sum: return fold(0) { $0 &+= $1 }
    case .mean:
      let size = count == 0 ? 1 : Swift.max(elements.count / count, 1)
      return fold(0) { $0 &+= $1 }.map { $0 / size }
    case .max: return fold(range.lowerBound) { $0 = Swift.max($0, $1) }
    case .min: return fold(range.upperBound) { $0 = Swift.min($0, $1) }
    case .product: return fold(1) { $0 &*= $1 }
    case .sumSquare: return fold(0) { $0 &+= $1 &* $1 }
    case .l1: return fold(0) { $0 &+= $1 < 0 ? 0 &- $1 : $1 }
    case .l2, .logSum, .logSumExp:
      return reduce(elements.map(Double.init), targets, count: count).map {
        // Nothing beyond the type is representable; infinity and NaN have no meaning at all.
        $0.isNaN
          ? 0
          : Int(exactly: $0.rounded(.towardZero)) ?? ($0 < 0 ? range.lowerBound : range.upperBound)
      }
    }
  }
}
