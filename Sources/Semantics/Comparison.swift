import Glibc
import PrunecTensors

/// How far two runs of what should be the same function are apart.
public struct Comparison: Sendable, Hashable {
  /// Largest absolute difference of two elements.
  public private(set) var maxAbsolute: Double = 0
  /// Largest absolute difference over the largest magnitude of the reference output it occurs in.
  public private(set) var maxRelative: Double = 0

  public init() {}

  /// Compares `actual` with `expected`, output by output. Outputs of different types or shapes, and a
  /// NaN on one side only, are infinitely far apart.
  public init(_ actual: [Tensor], expected: [Tensor]) {
    guard actual.count == expected.count else {
      maxAbsolute = .infinity
      maxRelative = .infinity
      return
    }
    for (a, e) in zip(actual, expected) { add(a, expected: e) }
  }

  /// Takes the worse of two comparisons.
  public mutating func formUnion(_ other: Comparison) {
    maxAbsolute = max(maxAbsolute, other.maxAbsolute)
    maxRelative = max(maxRelative, other.maxRelative)
  }

  /// Whether enough of the outputs is finite for a comparison to say something: more than half of all
  /// floating point elements.
  public static func isConclusive(_ outputs: [Tensor]) -> Bool {
    let elements = outputs.filter { $0.elementType.isFloatingPoint }.flatMap(\.floats)
    return elements.isEmpty || 2 * elements.count(where: \.isFinite) > elements.count
  }

  private mutating func add(_ actual: Tensor, expected: Tensor) {
    guard actual.elementType == expected.elementType, actual.shape == expected.shape else {
      maxAbsolute = .infinity
      maxRelative = .infinity
      return
    }
    // Integers of few bits stand for other numbers, and being one off is no more than rounding.
    guard actual.elementType.isFloatingPoint || actual.elementType.isNarrowInteger else {
      if actual != expected {
        maxAbsolute = .infinity
        maxRelative = .infinity
      }
      return
    }
    var difference = 0.0
    var magnitude = 0.0
    for (a, e) in zip(actual.floats, expected.floats) where a != e && !(a.isNaN && e.isNaN) {
      let distance = abs(Double(a) - Double(e))
      difference = max(difference, distance.isNaN ? .infinity : distance)
    }
    for e in expected.floats where e.isFinite { magnitude = max(magnitude, abs(Double(e))) }
    maxAbsolute = max(maxAbsolute, difference)
    if difference > 0 {
      maxRelative = max(maxRelative, magnitude > 0 ? difference / magnitude : .infinity)
    }
  }
}
