extension Mask {
  /// What removed elements are replaced by: whatever keeps a node that gathers elements along the axis
  /// from noticing them.
  package enum Fill: String, Sendable, Hashable, CaseIterable {
    /// Zero: nothing to a sum.
    case zero
    /// The mean of the kept elements: nothing to their mean.
    case mean
    /// Numbers that leave the mean and the variance of the kept elements what they are.
    case moments
    /// Minus infinity: nothing to a greatest element, or to a sum of exponentials.
    case lowest
    /// Infinity: nothing to a least element.
    case highest

    /// The one number that replaces every removed element; `nil` where it depends on the kept ones.
    package var constant: Float? {
      switch self {
      case .zero: 0
      case .lowest: -.infinity
      case .highest: .infinity
      case .mean, .moments: nil
      }
    }
  }
}
