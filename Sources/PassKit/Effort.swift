/// How much is spent on measuring.
public enum Effort: String, Sendable, CaseIterable {
  case quick, normal, thorough

  /// Multiply-accumulate operations that a measurement may take, about: ten times as many take ten times as long.
  public var macs: Double {
    switch self {
    case .quick: 6e11
    case .normal: 6e12
    case .thorough: 6e13
    }
  }
}
