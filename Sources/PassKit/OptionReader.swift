/// The options given to a pass in a pipeline's text, taken one by one.
public struct OptionReader: Sendable {
  private let pass: String
  private let column: Int
  private var left: [(key: String, value: String)]

  init(pass: String, column: Int, options: [(key: String, value: String)]) {
    self.pass = pass
    self.column = column
    left = options
  }

  /// A usage error at this pass.
  public func error(_ message: String) -> CompileError {
    CompileError(.usage, "\(pass): \(message)", at: .pipeline(column: column))
  }

  /// Takes the option called `key`.
  public mutating func string(_ key: String) -> String? {
    guard let index = left.firstIndex(where: { $0.key == key }) else { return nil }
    return left.remove(at: index).value
  }

  /// Takes every occurrence of the option called `key`.
  public mutating func strings(_ key: String) -> [String] {
    var values: [String] = []
    while let value = string(key) { values.append(value) }
    return values
  }

  /// Takes a number in `range`.
  public mutating func double(
    _ key: String, in range: ClosedRange<Double>
  ) throws(CompileError) -> Double? {
    guard let text = string(key) else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw error("\(key)=\(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// Takes a whole number in `range`.
  public mutating func int(
    _ key: String, in range: ClosedRange<Int>
  ) throws(CompileError) -> Int? {
    guard let text = string(key) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw error(
        "\(key)=\(text) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// Takes `true` or `false`.
  public mutating func bool(_ key: String) throws(CompileError) -> Bool? {
    guard let text = string(key) else { return nil }
    guard let value = Bool(text) else { throw error("\(key)=\(text) is neither true nor false") }
    return value
  }

  /// Takes one of the names of an enumeration.
  public mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, _ type: Choice.Type
  ) throws(CompileError) -> Choice? {
    guard let text = string(key) else { return nil }
    guard let value = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw error("\(key)=\(text) is not one of \(names)")
    }
    return value
  }

  /// Throws if an option was given that the pass did not take.
  func finish() throws(CompileError) {
    if let first = left.first { throw error("there is no option '\(first.key)'") }
  }
}
