import PrunecGraphIR
import PrunecTensors

extension Parser {
  var isAtType: Bool { token.kind == .identifier && isTypeKeyword(lexer.text(of: token)) }

  /// `float[N,3]`, `seq(...)`, `map(int64, ...)`, `optional(...)`, `sparse_tensor(...)`,
  /// `opaque(domain, name)`.
  mutating func parseType() throws(CompileError) -> ValueType {
    try nested { (parser) throws(CompileError) in try parser.parseTypeHere() }
  }

  private mutating func parseTypeHere() throws(CompileError) -> ValueType {
    guard isAtType else { throw expected("a type") }
    switch lexer.text(of: token) {
    case "seq":
      return ValueType(.sequence(try parseElementType()))
    case "optional":
      return ValueType(.optional(try parseElementType()))
    case "map":
      try advance()
      try expect("(", "after 'map'")
      let key = try parsePrimitiveType("the type of the map's keys")
      try expect(",", "after the type of the map's keys")
      let value = isAt(")") ? ValueType(.unspecified) : try parseType()
      try expect(")", "after the type of the map's values")
      return ValueType(.map(key: key, value: value))
    case "sparse_tensor":
      try advance()
      try expect("(", "after 'sparse_tensor'")
      let type = try parseTensorType()
      try expect(")", "after the type of the sparse tensor")
      return ValueType(.sparseTensor(type))
    case "opaque":
      return try parseOpaqueType()
    default:
      return ValueType(.tensor(try parseTensorType()))
    }
  }

  /// What follows `seq` or `optional`.
  private mutating func parseElementType() throws(CompileError) -> ValueType {
    let keyword = lexer.text(of: token)
    try advance()
    try expect("(", "after '\(keyword)'")
    let type = isAt(")") ? ValueType(.unspecified) : try parseType()
    try expect(")", "after the type in '\(keyword)'")
    return type
  }

  private mutating func parsePrimitiveType(
    _ what: String
  ) throws(CompileError) -> ElementType? {
    guard token.kind == .identifier else { throw expected(what) }
    let name = lexer.text(of: token)
    let type = ElementType(name: name)
    guard type != nil || name == "undefined" else { throw expected(what) }
    try advance()
    return type
  }

  private mutating func parseOpaqueType() throws(CompileError) -> ValueType {
    try advance()
    try expect("(", "after 'opaque'")
    var names: [String] = []
    if !isAt(")") {
      try commaSeparated { (parser) throws(CompileError) in
        names.append(try parser.parseQualifiedName("the name of the opaque type").joined())
      }
    }
    guard names.count <= 2 else { throw failure("an opaque type has a domain and a name") }
    try expect(")", "after the name of the opaque type")
    return ValueType(
      .opaque(domain: names.count == 2 ? names[0] : "", name: names.last ?? ""))
  }

  /// `float` is a scalar, `float[]` a tensor of unknown rank.
  mutating func parseTensorType() throws(CompileError) -> TensorType {
    let elementType = try parsePrimitiveType("an element type")
    guard try take("[") else { return TensorType(elementType, []) }
    guard try !take("]") else { return TensorType(elementType, nil) }
    var shape: [Dimension] = []
    try commaSeparated { (parser) throws(CompileError) in
      shape.append(try parser.parseDimension())
    }
    try expect("]", "after the shape")
    return TensorType(elementType, shape)
  }

  private mutating func parseDimension() throws(CompileError) -> Dimension {
    if try take("?") { return .unknown }
    if isAtName { return .symbol(try expectName("an extent")) }
    let place = token
    let extent = try expectInteger("an extent: a number, a name or '?'")
    guard extent >= 0 else { throw failure("an extent cannot be negative", at: place) }
    return .fixed(extent)
  }

  /// Names separated by periods, with the periods.
  mutating func parseQualifiedName(_ what: String) throws(CompileError) -> [String] {
    var parts = [try expectName(what)]
    while try take(".") {
      parts += [".", try expectName("a name after '.'")]
    }
    return parts
  }
}
