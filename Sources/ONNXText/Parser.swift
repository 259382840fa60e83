import PrunecGraphIR

/// Reads a model in ONNX's textual syntax, with the extensions that the module's documentation lists.
///
/// Without a header, IR version 10, operator set 21 of the default domain and version 1 of every
/// other domain that a node names are assumed.
///
/// - Throws: `CompileError` of kind `malformed` with one diagnostic, located at the line and column
///   of what is wrong: syntax, names defined twice or not at all, numbers that do not fit their type,
///   tensors whose data does not match their shape, nesting deeper than 100.
public func parseModel(_ text: String) throws(CompileError) -> Model {
  try parseSource(text).model
}

/// A model together with where its nodes stand in the text.
public struct ParsedSource: Sendable {
  public var model: Model
  /// The line of each node, functions and subgraphs included, in the order of their first tokens;
  /// a node is given in the form in which diagnostics speak of it.
  public var nodeLines: [(line: Int, node: Location)]
  /// Whether the text begins with a header.
  public var hasHeader: Bool
}

/// Reads a model as `parseModel` does, and keeps the lines of its nodes.
///
/// - Throws: what `parseModel` throws.
public func parseSource(_ text: String) throws(CompileError) -> ParsedSource {
  let lexer = Lexer(text)
  var parser = try Parser(lexer, assumedDomains: [])
  var model = try parser.parseModel()
  if !parser.namedDomains.isEmpty {
    // Which operator sets to assume shows at the end, but subgraphs carry the model's imports.
    parser = try Parser(lexer, assumedDomains: parser.namedDomains)
    model = try parser.parseModel()
  }
  let nodeLines = parser.nodeOffsets.sorted { $0.offset < $1.offset }.map {
    (line: lexer.location(of: $0.offset).line, node: $0.node)
  }
  return ParsedSource(model: model, nodeLines: nodeLines, hasHeader: parser.hasHeader)
}

/// A recursive descent parser that builds graphs as it reads.
///
/// This file holds what all rules share; the rules are in the extensions.
struct Parser {
  let lexer: Lexer
  private var rest: Lexer
  /// The token that is looked at.
  private(set) var token: Token
  /// Domains other than the default one that a model without a header is taken to import.
  let assumedDomains: [String]
  /// Domains that nodes name, as long as there is no header to import them.
  var namedDomains: [String] = []
  var hasHeader = false
  /// The graph being read and those around it, outermost first.
  var scopes: [Scope] = []
  var nodeOffsets: [(offset: Int, node: Location)] = []
  /// Bytes of elided data made so far.
  var elidedByteCount = 0
  private var depth = 0

  static let maximumDepth = 100

  init(_ lexer: Lexer, assumedDomains: [String]) throws(CompileError) {
    self.lexer = lexer
    self.assumedDomains = assumedDomains
    rest = lexer
    token = try rest.next()
  }

  // MARK: Tokens

  mutating func advance() throws(CompileError) { token = try rest.next() }

  /// An error at a token, by default the one that is looked at.
  func failure(_ message: String, at place: Token? = nil) -> CompileError {
    lexer.failure(message, at: (place ?? token).start)
  }

  /// The error that something else should stand here.
  func expected(_ what: String) -> CompileError {
    failure("expected \(what), found \(lexer.description(of: token))")
  }

  func isAt(_ punctuation: Unicode.Scalar) -> Bool { token.kind == .punctuation(punctuation) }

  /// Skips the punctuation if it is there, and says whether it was.
  mutating func take(_ punctuation: Unicode.Scalar) throws(CompileError) -> Bool {
    guard isAt(punctuation) else { return false }
    try advance()
    return true
  }

  mutating func expect(
    _ punctuation: Unicode.Scalar, _ place: String
  ) throws(CompileError) {
    guard try take(punctuation) else { throw expected("'\(punctuation)' \(place)") }
  }

  mutating func expectArrow(_ place: String) throws(CompileError) {
    guard token.kind == .arrow else { throw expected("'=>' \(place)") }
    try advance()
  }

  mutating func expectIdentifier(_ what: String) throws(CompileError) -> String {
    guard token.kind == .identifier else { throw expected(what) }
    let identifier = lexer.text(of: token)
    try advance()
    return identifier
  }

  var isAtString: Bool { token.kind == .string || token.kind == .bytes }
  var isAtName: Bool { token.kind == .identifier || isAtString }

  mutating func expectString(_ what: String) throws(CompileError) -> [UInt8] {
    guard isAtString else { throw expected(what) }
    let bytes = try lexer.bytes(of: token)
    try advance()
    return bytes
  }

  mutating func expectText(_ what: String) throws(CompileError) -> String {
    String(decoding: try expectString(what), as: UTF8.self)
  }

  /// An identifier or a string.
  mutating func expectName(_ what: String) throws(CompileError) -> String {
    isAtString ? try expectText(what) : try expectIdentifier(what)
  }

  /// An integer that fits `type`.
  mutating func expectInteger<Number: FixedWidthInteger>(
    _ what: String, as type: Number.Type = Int.self
  ) throws(CompileError) -> Number {
    guard token.kind == .integer else { throw expected(what) }
    let text = lexer.text(of: token)
    guard let value = Number(text) else { throw failure("\(text) is out of range") }
    try advance()
    return value
  }

  /// A finite number, infinity or NaN, rounded to `type`.
  mutating func expectNumber<Number: LosslessStringConvertible & BinaryFloatingPoint>(
    as type: Number.Type
  ) throws(CompileError) -> Number {
    let value: Number
    switch token.kind {
    case .integer, .float: value = try number(lexer.text(of: token))
    case .identifier where isNumberKeyword(lexer.text(of: token)):
      value = try number(lexer.text(of: token))
    default: throw expected("a number")
    }
    try advance()
    return value
  }

  private func number<Number: LosslessStringConvertible & BinaryFloatingPoint>(
    _ text: String
  ) throws(CompileError) -> Number {
    guard let value = Number(text), value.isFinite || !text.utf8.contains(where: isDigit) else {
      throw failure("\(text) is out of range")
    }
    return value
  }

  // MARK: Lists and nesting

  /// Reads elements separated by commas.
  mutating func commaSeparated(
    _ element: (inout Parser) throws(CompileError) -> Void
  ) throws(CompileError) {
    repeat { try element(&self) } while try take(",")
  }

  /// Reads something that may contain itself.
  mutating func nested<Result>(
    _ body: (inout Parser) throws(CompileError) -> Result
  ) throws(CompileError) -> Result {
    guard depth < Self.maximumDepth else {
      throw failure("this is nested more than \(Self.maximumDepth) levels deep")
    }
    depth += 1
    defer { depth -= 1 }
    return try body(&self)
  }
}
