/// Amount spent on measuring.
public enum Effort: String, Sendable, CaseIterable {
  case quick, normal, thorough

  /// Multiply-accumulate operations that a measurement may take.
  package var macs: Double {
    switch self {
    case .quick: 1e11
    case .normal: 3e12
    case .thorough: 6e13
    }
  }
}
