/// Text form of one value of an option.
public struct OptionSyntax<Value>: Sendable {
  /// Expectation, as it follows "is not": `a whole number from 1 to 1024`.
  public let expectation: String
  /// Reads a value; `nil` for what is none.
  public let parse: @Sendable (String) -> Value?
  /// Writes a value as `parse` reads it.
  public let print: @Sendable (Value) -> String

  public init(
    _ expectation: String, parse: @escaping @Sendable (String) -> Value?,
    print: @escaping @Sendable (Value) -> String
  ) {
    self.expectation = expectation
    self.parse = parse
    self.print = print
  }
}

extension OptionSyntax<String> {
  /// Any text.
  public static var text: Self { Self("a text", parse: { $0 }, print: { $0 }) }
}

extension OptionSyntax<Bool> {
  /// `true` or `false`.
  public static var bool: Self {
    Self("true or false", parse: { Bool($0) }, print: { "\($0)" })
  }
}

extension OptionSyntax<Int> {
  /// A whole number in `range`.
  public static func integer(in range: ClosedRange<Int>) -> Self {
    let limits =
      range.upperBound == .max
      ? "from \(range.lowerBound) up" : "from \(range.lowerBound) to \(range.upperBound)"
    return Self(
      "a whole number \(limits)",
      parse: { Int($0).flatMap { range.contains($0) ? $0 : nil } }, print: { "\($0)" })
  }
}

extension OptionSyntax<Double> {
  /// A number in `range`.
  public static func number(in range: ClosedRange<Double>) -> Self {
    number("a number from \(range.lowerBound) to \(range.upperBound)", range.contains)
  }

  /// A fraction of a whole, which may be nothing or all.
  public static var fraction: Self { number("a fraction from 0 to 1", (0...1).contains) }

  /// A fraction of a whole that leaves something.
  public static var properFraction: Self {
    number("a fraction from 0 to below 1", (0..<1).contains)
  }

  private static func number(
    _ expectation: String, _ contains: @escaping @Sendable (Double) -> Bool
  ) -> Self {
    Self(
      expectation, parse: { Double($0).flatMap { contains($0) ? $0 : nil } }, print: { "\($0)" })
  }
}

extension OptionSyntax
where Value: RawRepresentable<String> & CaseIterable & Sendable {
  /// One of the names of an enumeration.
  public static var choice: Self {
    Self(
      "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "),
      parse: { Value(rawValue: $0) }, print: { $0.rawValue })
  }
}
