import PrunecGraphIR

/// A pipeline as text describes it: passes with options, and groups of passes that run until nothing
/// changes. `Pipeline(text)` and `description` are inverse to each other.
///
///     pipeline := step (',' step)*
///     step     := name options? | 'fixpoint' '(' pipeline ')'
///     options  := '{' (key '=' value)* '}'        separated by spaces
///     value    := characters other than spaces, quotes and '}' | '"' characters '"'
///                                                  in quotes, '\\' takes the next as it is
public struct Pipeline: Sendable, CustomStringConvertible {
  public indirect enum Step: Sendable {
    case pass(name: String, options: [PassSetting], column: Int)
    case fixpoint([Step])
  }
  public let steps: [Step]

  public init(_ steps: [Step]) { self.steps = steps }

  public init(_ text: String) throws(CompileError) {
    var parser = PipelineParser(text)
    steps = try parser.parse()
  }

  public var description: String { Self.describe(steps) }

  /// The options that its passes are given.
  public var settings: [PassSetting] { Self.settings(of: steps) }

  private static func settings(of steps: [Step]) -> [PassSetting] {
    steps.flatMap { step in
      switch step {
      case .fixpoint(let steps): settings(of: steps)
      case .pass(_, let options, _): options
      }
    }
  }

  private static func describe(_ steps: [Step]) -> String {
    steps.map { step in
      switch step {
      case .fixpoint(let steps): return "fixpoint(\(describe(steps)))"
      case .pass(let name, let options, _):
        if options.isEmpty { return name }
        return "\(name){\(options.map { "\($0.key)=\(quoted($0.value))" }.joined(separator: " "))}"
      }
    }.joined(separator: ",")
  }

  /// `value` as an option's value is written: in quotes where it needs them.
  public static func quoted(_ value: String) -> String {
    guard value.isEmpty || value.contains(where: { $0.isWhitespace || "{}\"\\".contains($0) })
    else {
      return value
    }
    let escaped = value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
    return "\"\(escaped)\""
  }
}

private struct PipelineParser {
  private let characters: [Character]
  private var position = 0

  init(_ text: String) { characters = Array(text) }

  private func error(_ message: String) -> CompileError {
    CompileError(.usage, message, at: .pipeline(column: position + 1))
  }

  private mutating func skipSpaces() {
    while position < characters.count, characters[position].isWhitespace { position += 1 }
  }

  private mutating func take(_ character: Character) -> Bool {
    skipSpaces()
    guard position < characters.count, characters[position] == character else { return false }
    position += 1
    return true
  }

  mutating func parse() throws(CompileError) -> [Pipeline.Step] {
    skipSpaces()
    if position == characters.count { return [] }
    let steps = try parseSteps(depth: 0)
    guard position == characters.count else { throw error("expected ',' or the end") }
    return steps
  }

  private mutating func parseSteps(depth: Int) throws(CompileError) -> [Pipeline.Step] {
    guard depth < 16 else { throw error("groups are nested too deeply") }
    var steps: [Pipeline.Step] = []
    repeat {
      skipSpaces()
      let column = position + 1
      let name = try parseName("the name of a pass")
      if name == "fixpoint" {
        guard take("(") else { throw error("expected '(' after fixpoint") }
        steps.append(.fixpoint(try parseSteps(depth: depth + 1)))
        guard take(")") else { throw error("expected ')'") }
      } else {
        steps.append(.pass(name: name, options: try parseOptions(), column: column))
      }
    } while take(",")
    skipSpaces()
    return steps
  }

  private mutating func parseName(_ what: String) throws(CompileError) -> String {
    skipSpaces()
    let start = position
    while position < characters.count,
      characters[position].isLetter || characters[position].isNumber || characters[position] == "-"
    {
      position += 1
    }
    guard position > start else { throw error("expected \(what)") }
    return String(characters[start..<position])
  }

  private mutating func parseOptions() throws(CompileError) -> [PassSetting] {
    guard take("{") else { return [] }
    var options: [PassSetting] = []
    while !take("}") {
      let key = try parseName("an option")
      guard take("=") else { throw error("expected '=' after '\(key)'") }
      options.append((key, try parseValue()))
    }
    return options
  }

  private mutating func parseValue() throws(CompileError) -> String {
    let isQuoted = take("\"")
    var value = ""
    while position < characters.count {
      let character = characters[position]
      if isQuoted ? character == "\"" : character == "}" || character.isWhitespace { break }
      if isQuoted, character == "\\", position + 1 < characters.count { position += 1 }
      value.append(characters[position])
      position += 1
    }
    if isQuoted, !take("\"") { throw error("expected '\"'") }
    if !isQuoted, value.isEmpty { throw error("expected a value") }
    return value
  }
}
