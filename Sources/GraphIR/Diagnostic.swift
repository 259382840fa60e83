/// What a diagnostic speaks of.
public enum Location: Hashable, Sendable {
  case node(name: String, operation: String)
  case value(String)
  case text(line: Int, column: Int)
  case byte(Int)
  /// A column of a pipeline's text.
  case pipeline(column: Int)
}

extension Location: CustomStringConvertible {
  public var description: String {
    switch self {
    case .node(let name, let operation): "node '\(name)' (\(operation))"
    case .value(let name): "value '\(name)'"
    case .text(let line, let column): "\(line):\(column)"
    case .byte(let offset): "byte \(offset)"
    case .pipeline(let column): "pipeline column \(column)"
    }
  }
}

/// A message to the user about one place of a model.
public struct Diagnostic: Hashable, Sendable {
  public enum Severity: String, Sendable { case error, warning, note }

  public var severity: Severity
  public var message: String
  public var location: Location?
  public var notes: [String]

  public init(
    _ severity: Severity, _ message: String, at location: Location? = nil, notes: [String] = []
  ) {
    self.severity = severity
    self.message = message
    self.location = location
    self.notes = notes
  }
}

extension Diagnostic: CustomStringConvertible {
  public var description: String { rendered(file: nil) }

  /// The diagnostic as it is printed: `file: location: severity: message`, a note a line.
  public func rendered(file: String?) -> String {
    let place = [file, location?.description].compactMap { $0 }.map { $0 + ": " }.joined()
    let lines = ["\(place)\(severity.rawValue): \(message)"] + notes.map { "note: \($0)" }
    return lines.joined(separator: "\n")
  }
}

/// The one error that is thrown: at least one diagnostic, and what kind of failure it is.
public struct CompileError: Error, Sendable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// A check failed, or a threshold or budget cannot be met.
    case checkFailed
    /// The request is not valid, whatever the model.
    case usage
    /// The model breaks the format or ONNX's rules.
    case malformed
    /// The model is valid but beyond what prunec does, and the user asked for strictness.
    case unsupported
    /// A file could not be read or written.
    case inputOutput
    /// A fault of prunec's own: a pass has left a graph that is not well formed.
    case internalError
  }

  public var kind: Kind
  public var diagnostics: [Diagnostic]

  public init(_ kind: Kind, _ diagnostics: [Diagnostic]) {
    self.kind = kind
    self.diagnostics = diagnostics
  }

  public init(_ kind: Kind, _ message: String, at location: Location? = nil, notes: [String] = []) {
    self.init(kind, [Diagnostic(.error, message, at: location, notes: notes)])
  }

  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

extension CompileError {
  /// Runs `body`, and begins the messages of its errors with `subject`, which they are about.
  public static func about<R>(
    _ subject: String, _ body: () throws(CompileError) -> R
  ) throws(CompileError) -> R {
    do {
      return try body()
    } catch {
      var named = error
      for index in named.diagnostics.indices {
        named.diagnostics[index].message = "\(subject) " + named.diagnostics[index].message
      }
      throw named
    }
  }
}
