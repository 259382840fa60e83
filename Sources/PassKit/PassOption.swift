/// An option of a pass, declared once: pipelines and command lines take its key, its range, its default and
/// its help from here.
///
///     static let threshold = PassOption("threshold", .number(in: -1...1), default: 0.45, help: "...")
public struct PassOption<Value: Sendable>: PassOptionDescription {
  /// Kebab-case, as in `key=value` and `--key value`.
  public let key: String
  /// Placeholder of the value in help.
  public let valueName: String
  /// A sentence.
  public let help: String
  /// The value where the option is not given.
  public let defaultValue: Value
  public let expectation: String

  private let parseOne: @Sendable (String) -> Value?
  private let printAll: @Sendable (Value) -> [String]
  /// Puts together the values of an option that may be given several times; `nil` for one that may not.
  private let join: (@Sendable (Value, Value) -> Value)?

  /// An option that always has a value.
  public init(
    _ key: String, _ syntax: OptionSyntax<Value>, default defaultValue: Value,
    valueName: String? = nil, help: String
  ) {
    self.key = key
    self.valueName = valueName ?? key
    self.help = help
    self.defaultValue = defaultValue
    expectation = syntax.expectation
    parseOne = syntax.parse
    printAll = { [syntax.print($0)] }
    join = nil
  }

  /// An option that may be left out.
  public init<Element>(
    _ key: String, _ syntax: OptionSyntax<Element>, valueName: String? = nil, help: String
  ) where Value == Element? {
    self.key = key
    self.valueName = valueName ?? key
    self.help = help
    defaultValue = nil
    expectation = syntax.expectation
    parseOne = { syntax.parse($0).map { .some($0) } }
    printAll = { $0.map { [syntax.print($0)] } ?? [] }
    join = nil
  }

  /// An option that may be given any number of times.
  public init<Element>(
    repeatable key: String, _ syntax: OptionSyntax<Element>, valueName: String? = nil, help: String
  ) where Value == [Element] {
    self.key = key
    self.valueName = valueName ?? key
    self.help = help
    defaultValue = []
    expectation = syntax.expectation
    parseOne = { syntax.parse($0).map { [$0] } }
    printAll = { $0.map(syntax.print) }
    join = { $0 + $1 }
  }

  public var isRepeatable: Bool { join != nil }

  public var defaultText: String? {
    let texts = printAll(defaultValue)
    return texts.isEmpty ? nil : texts.joined(separator: " ")
  }

  /// The value that one text gives; `nil` where the text is not what is expected.
  public func parse(_ text: String) -> Value? { parseOne(text) }

  /// The value with that of another occurrence of the option.
  func joining(_ value: Value, _ next: Value) -> Value { join?(value, next) ?? next }

  /// The option as a pipeline gives it: `parse` reads each value.
  public func settings(_ value: Value) -> [PassSetting] {
    printAll(value).map { (key, $0) }
  }
}

/// An option of a pass as a pipeline's text gives it.
public typealias PassSetting = (key: String, value: String)

/// What users are told of an option of a pass, whatever the type of its value.
public protocol PassOptionDescription: Sendable {
  var key: String { get }
  var valueName: String { get }
  var help: String { get }
  /// Expectation of a value, as it follows "is not".
  var expectation: String { get }
  /// The value where the option is not given; `nil` where there is none.
  var defaultText: String? { get }
  var isRepeatable: Bool { get }
}
