import PrunecTensors

/// An operator that rounds, compares, sorts or chooses: operands that differ in the last bit may give
/// results that are far apart.
///
/// Two graphs that compute the same in real numbers may differ behind such an operator, because sums are
/// rounded in another order. Whoever compares them has to compare before it.
package protocol DiscontinuousOperator: Operator {
  /// Whether the results of this node jump.
  func isDiscontinuous(_ call: Invocation) -> Bool
}

extension DiscontinuousOperator {
  /// Whether any operand is computed and a floating point number: integers are exact.
  package func isDiscontinuous(_ call: Invocation) -> Bool { call.readsComputedFractions }
}

extension Invocation {
  /// Whether any operand is a tensor of floating point numbers that are not constant.
  var readsComputedFractions: Bool {
    operands.contains { operand in
      operand.map { $0.constant == nil && $0.elementType?.isFloatingPoint != false } ?? false
    }
  }
}
