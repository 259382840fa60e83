import PrunecGraphIR

/// Why channels may not be removed.
public struct PinReason: Hashable, Sendable, CustomStringConvertible {
  public let message: String
  /// Where the reason lies.
  public let location: Location?

  public init(_ message: String, at location: Location? = nil) {
    self.message = message
    self.location = location
  }

  public var description: String {
    location.map { "\($0): \(message)" } ?? message
  }
}
