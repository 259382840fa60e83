import PrunecGraphIR

/// A step of a pipeline.
public protocol Pass: Sendable {
  /// Kebab-case of the type's name.
  static var name: String { get }
  /// One line for `--help`.
  static var summary: String { get }
  static var effect: Effect { get }
  /// The options that the pass reads.
  static var options: [any PassOptionDescription] { get }
  /// Reads the pass's options; throws a usage error for one that is wrong.
  init(options: inout OptionReader) throws(CompileError)
  /// Rewrites the graph or fills the context.
  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError)
}

extension Pass {
  public static var options: [any PassOptionDescription] { [] }

  /// The pass with these options, as a step of a pipeline's text.
  public static func text(_ settings: [PassSetting]) -> String {
    Pipeline([.pass(name: name, options: settings, column: 1)]).description
  }
}
