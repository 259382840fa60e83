import PrunecGraphIR

/// A word of the text: its kind and the bytes it occupies.
struct Token {
  enum Kind: Equatable {
    case identifier
    /// A quoted string, escapes not yet resolved.
    case string
    /// A `hex"..."` literal.
    case bytes
    case integer
    case float
    /// `=>`.
    case arrow
    /// `...`.
    case ellipsis
    case punctuation(Unicode.Scalar)
    case end
  }

  var kind: Kind
  var start: Int
  var end: Int
}

/// Splits text into tokens; spaces and comments (`#` to the end of the line) separate them.
struct Lexer {
  let source: [UInt8]
  private var position = 0
  /// Offsets of the first byte of each line.
  private let lineStarts: [Int]

  init(_ text: String) {
    source = Array(text.utf8)
    var starts = [0]
    for (offset, byte) in source.enumerated() where byte == UInt8(ascii: "\n") {
      starts.append(offset + 1)
    }
    lineStarts = starts
  }

  /// The line and column of a byte, both counted from 1; a column is a Unicode scalar.
  func location(of offset: Int) -> (line: Int, column: Int) {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    let scalars = source[lineStarts[low]..<offset].count { $0 & 0xC0 != 0x80 }
    return (low + 1, scalars + 1)
  }

  func failure(_ message: String, at offset: Int) -> CompileError {
    let (line, column) = location(of: offset)
    return CompileError(.malformed, message, at: .text(line: line, column: column))
  }

  /// The bytes of a token as they stand in the text.
  func text(of token: Token) -> String {
    String(decoding: source[token.start..<token.end], as: UTF8.self)
  }

  /// How messages speak of a token.
  func description(of token: Token) -> String {
    guard token.kind != .end else { return "the end of the text" }
    let limit = 40
    let text = text(of: token)
    return text.count <= limit ? "'\(text)'" : "'\(text.prefix(limit))...'"
  }

  private func byte(at offset: Int) -> UInt8 { offset < source.count ? source[offset] : 0 }

  private mutating func skipSpace() {
    while position < source.count {
      switch source[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\t")...UInt8(ascii: "\r"): position += 1
      case UInt8(ascii: "#"):
        while position < source.count, source[position] != UInt8(ascii: "\n") { position += 1 }
      default: return
      }
    }
  }

  /// The next token. Throws at a byte that begins none, and at unfinished strings and numbers.
  mutating func next() throws(CompileError) -> Token {
    skipSpace()
    let start = position
    guard start < source.count else { return Token(kind: .end, start: start, end: start) }
    let kind: Token.Kind
    let first = source[start]
    switch first {
    case UInt8(ascii: "\""):
      try skipString()
      kind = .string
    case _ where isLetter(first):
      skipIdentifier()
      if source[start..<position].elementsEqual("hex".utf8),
        byte(at: position) == UInt8(ascii: "\"")
      {
        try skipString()
        kind = .bytes
      } else {
        kind = .identifier
      }
    case _ where isDigit(first) || first == UInt8(ascii: "-"):
      kind = try skipNumber()
    case UInt8(ascii: "=") where byte(at: start + 1) == UInt8(ascii: ">"):
      position += 2
      kind = .arrow
    case UInt8(ascii: ".")
    where byte(at: start + 1) == first && byte(at: start + 2) == first:
      position += 3
      kind = .ellipsis
    case _ where "()[]{}<>,:.=@?".utf8.contains(first):
      position += 1
      kind = .punctuation(Unicode.Scalar(first))
    default:
      throw failure("unexpected character \(character(at: start))", at: start)
    }
    return Token(kind: kind, start: start, end: position)
  }

  /// The character that begins at `offset`, for messages.
  private func character(at offset: Int) -> String {
    guard source[offset] >= UInt8(ascii: " ") else { return "of code \(source[offset])" }
    var end = offset + 1
    while byte(at: end) & 0xC0 == 0x80 { end += 1 }
    return "'\(String(decoding: source[offset..<end], as: UTF8.self))'"
  }

  private mutating func skipIdentifier() {
    while isLetter(byte(at: position)) || isDigit(byte(at: position)) { position += 1 }
  }

  private mutating func skipString() throws(CompileError) {
    let start = position
    position += 1
    while position < source.count, source[position] != UInt8(ascii: "\"") {
      position += source[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard position < source.count else {
      position = source.count
      throw failure("this string has no end", at: start)
    }
    position += 1
  }

  private mutating func skipDigits() {
    while isDigit(byte(at: position)) { position += 1 }
  }

  private mutating func skipNumber() throws(CompileError) -> Token.Kind {
    let start = position
    if source[position] == UInt8(ascii: "-") { position += 1 }
    if isLetter(byte(at: position)) {
      let wordStart = position
      skipIdentifier()
      guard isNumberKeyword(String(decoding: source[wordStart..<position], as: UTF8.self)) else {
        throw failure("expected a number after '-'", at: start)
      }
      return .float
    }
    guard isDigit(byte(at: position)) else {
      throw failure("expected a number after '-'", at: start)
    }
    skipDigits()
    var kind = Token.Kind.integer
    if byte(at: position) == UInt8(ascii: ".") {
      position += 1
      skipDigits()
      kind = .float
    }
    if byte(at: position) | 0x20 == UInt8(ascii: "e") {
      position += 1
      if [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(byte(at: position)) { position += 1 }
      guard isDigit(byte(at: position)) else {
        throw failure("this number's exponent has no digits", at: start)
      }
      skipDigits()
      kind = .float
    }
    return kind
  }

  /// The bytes that a string or `hex` literal stands for.
  func bytes(of token: Token) throws(CompileError) -> [UInt8] {
    guard token.kind == .bytes else {
      var bytes: [UInt8] = []
      var offset = token.start + 1
      while offset < token.end - 1 {
        // A backslash stands for nothing but "the next byte is no quote and no escape".
        if source[offset] == UInt8(ascii: "\\") { offset += 1 }
        bytes.append(source[offset])
        offset += 1
      }
      return bytes
    }
    let digits = source[(token.start + 4)..<(token.end - 1)]
    var nibbles: [UInt8] = []
    for (offset, digit) in zip(digits.indices, digits) {
      guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else {
        throw failure("expected a hexadecimal digit", at: offset)
      }
      nibbles.append(UInt8(value))
    }
    guard nibbles.count.isMultiple(of: 2) else {
      throw failure("expected an even number of hexadecimal digits", at: token.start)
    }
    return stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
  }
}
