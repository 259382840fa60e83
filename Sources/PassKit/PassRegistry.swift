/// The passes that pipelines can name, and the rules for their order.
public struct PassRegistry: Sendable {
  /// A rule that a pipeline must keep.
  public struct OrderingRule: Sendable {
    /// The name of a pass that needs another.
    public let pass: String
    /// The name of the pass that must come before it.
    public let requires: String
    public let reason: String

    public init(_ pass: String, requires: String, because reason: String) {
      self.pass = pass
      self.requires = requires
      self.reason = reason
    }
  }

  public let passes: [any Pass.Type]
  public let rules: [OrderingRule]

  public init(_ passes: [any Pass.Type], rules: [OrderingRule]) {
    self.passes = passes
    self.rules = rules
  }

  func pass(named name: String) -> (any Pass.Type)? { passes.first { $0.name == name } }
}
