import PrunecGraphIR

/// The options given to a pass in a pipeline's text, taken one by one.
public struct OptionReader: Sendable {
  private let pass: String
  private let column: Int
  private var left: [PassSetting]

  /// Throws a usage error for an option that `pass` does not declare.
  init(_ pass: any Pass.Type, column: Int, options: [PassSetting]) throws(CompileError) {
    self.pass = pass.name
    self.column = column
    left = options
    for option in options where !pass.options.contains(where: { $0.key == option.key }) {
      throw error("there is no option '\(option.key)'")
    }
  }

  /// A usage error at this pass.
  public func error(_ message: String) -> CompileError {
    CompileError(.usage, "\(pass): \(message)", at: .pipeline(column: column))
  }

  /// Takes `option`: its value, or its default. Throws a usage error for a value that is not what the option
  /// expects.
  public mutating func value<Value>(_ option: PassOption<Value>) throws(CompileError) -> Value {
    var value: Value?
    while let index = left.firstIndex(where: { $0.key == option.key }) {
      let text = left.remove(at: index).value
      guard let next = option.parse(text) else {
        throw error("\(option.key)=\(text) is not \(option.expectation)")
      }
      value = value.map { option.joining($0, next) } ?? next
      if !option.isRepeatable { break }
    }
    return value ?? option.defaultValue
  }

  /// Throws if an option was given more often than the pass takes it.
  func finish() throws(CompileError) {
    if let first = left.first { throw error("there is a second '\(first.key)'") }
  }
}
