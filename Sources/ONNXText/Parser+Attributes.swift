import PrunecGraphIR

extension Parser {
  /// `<name = value, name: type = value>`, or nothing.
  mutating func parseAttributes() throws(CompileError) -> [Attribute] {
    var attributes: [Attribute] = []
    var names: Set<String> = []
    guard try take("<") else { return attributes }
    try commaSeparated { (parser) throws(CompileError) in
      let place = parser.token
      let name = try parser.expectName("the name of an attribute")
      guard names.insert(name).inserted else {
        throw parser.failure("attribute '\(name)' is given twice", at: place)
      }
      attributes.append(try parser.parseAttribute(name: name))
    }
    try expect(">", "after the attributes")
    return attributes
  }

  /// An attribute from what follows its name.
  mutating func parseAttribute(name: String) throws(CompileError) -> Attribute {
    var annotation: AttributeType?
    if try take(":") {
      let place = token
      let typeName = try expectIdentifier("the type of attribute '\(name)'")
      guard let type = AttributeType(name: typeName) else {
        throw failure("'\(typeName)' is no type of an attribute", at: place)
      }
      annotation = type
    }
    try expect("=", "before the value of attribute '\(name)'")
    if isAt("[") {
      return Attribute(name, try parseList(annotation))
    }
    let place = token
    let value = try parseSingleValue(annotation)
    if let annotation, case .reference(let source, _) = value {
      return Attribute(name, .reference(name: source, type: annotation.rawValue))
    }
    if let annotation, annotation != type(of: value) {
      throw failure(
        "attribute '\(name)' is declared '\(annotation.name)', but the value is "
          + "'\(type(of: value).name)'", at: place)
    }
    return Attribute(name, value)
  }

  private func type(of value: Attribute.Value) -> AttributeType {
    switch value {
    case .float: .float
    case .int: .int
    case .string: .string
    case .tensor: .tensor
    case .graph: .graph
    case .sparseTensor: .sparseTensor
    case .type: .type
    case .floats: .floats
    case .ints: .ints
    case .strings: .strings
    case .tensors: .tensors
    case .graphs: .graphs
    case .sparseTensors: .sparseTensors
    case .types: .types
    case .reference(_, let type): AttributeType(rawValue: type) ?? .undefined
    }
  }

  /// `[value, value]`. The first element, or else the annotation, decides the type of the others.
  private mutating func parseList(
    _ annotation: AttributeType?
  ) throws(CompileError) -> Attribute.Value {
    let place = token
    try expect("[", "before a list")
    if let annotation, annotation.element == nil {
      throw failure(
        "the attribute is declared '\(annotation.name)', but the value is a list", at: place)
    }
    var elementType = annotation?.element
    var elements: [Attribute.Value] = []
    if !isAt("]") {
      try commaSeparated { (parser) throws(CompileError) in
        let place = parser.token
        let element = try parser.parseSingleValue(elementType)
        let found = parser.type(of: element)
        guard found == elementType ?? found, found != .undefined else {
          throw parser.failure(
            "expected an element of type '\(elementType?.name ?? "int")', found "
              + "'\(found == .undefined ? "reference" : found.name)'", at: place)
        }
        elementType = found
        elements.append(element)
      }
    }
    try expect("]", "after the list")
    guard let elementType else {
      throw failure("an empty list needs its type, as in 'name: ints = []'", at: place)
    }
    return list(of: elements, elementType)
  }

  private func list(of elements: [Attribute.Value], _ type: AttributeType) -> Attribute.Value {
    switch type {
    case .float: .floats(elements.compactMap { if case .float(let x) = $0 { x } else { nil } })
    case .int: .ints(elements.compactMap { if case .int(let x) = $0 { x } else { nil } })
    case .string: .strings(elements.compactMap { if case .string(let x) = $0 { x } else { nil } })
    case .tensor: .tensors(elements.compactMap { if case .tensor(let x) = $0 { x } else { nil } })
    case .graph: .graphs(elements.compactMap { if case .graph(let x) = $0 { x } else { nil } })
    case .type: .types(elements.compactMap { if case .type(let x) = $0 { x } else { nil } })
    case .sparseTensor:
      .sparseTensors(elements.compactMap { if case .sparseTensor(let x) = $0 { x } else { nil } })
    default: preconditionFailure("\(type) is no type of a list's element")
    }
  }

  /// One value. `wanted` widens an integer to a float and tells a sparse tensor from a string.
  private mutating func parseSingleValue(
    _ wanted: AttributeType?
  ) throws(CompileError) -> Attribute.Value {
    switch token.kind {
    case .identifier where isAtType:
      return try parseTypeOrTensor()
    case .identifier where isNumberKeyword(lexer.text(of: token)), .float:
      return .float(try expectNumber(as: Float.self))
    case .identifier:
      return try parseSubgraph(name: try expectIdentifier("the name of a graph"))
    case .integer where wanted == .float:
      return .float(try expectNumber(as: Float.self))
    case .integer:
      return .int(try expectInteger("an integer", as: Int64.self))
    case .string, .bytes:
      let bytes = try expectString("a string")
      if isAt("(") || token.kind == .arrow {
        return try parseSubgraph(name: String(decoding: bytes, as: UTF8.self))
      }
      return wanted == .sparseTensor ? .sparseTensor(bytes) : .string(bytes)
    case .punctuation("@"):
      try advance()
      return .reference(name: try expectName("the name of an attribute of the function"), type: 0)
    default:
      throw expected("the value of an attribute")
    }
  }

  private mutating func parseSubgraph(name: String) throws(CompileError) -> Attribute.Value {
    let imports = scopes.last?.graph.opsetImports ?? []
    return .graph(try parseGraph(name: name, imports: imports))
  }

  /// A type, or a tensor if a name, `=` or data follow it.
  private mutating func parseTypeOrTensor() throws(CompileError) -> Attribute.Value {
    let place = token
    let type = try parseType()
    guard isAtName || isAt("=") || isAt("{") else { return .type(type) }
    guard let tensorType = type.tensorType else {
      throw failure("data needs the type of a tensor", at: place)
    }
    let name = isAtName ? try expectName("the name of a tensor") : ""
    _ = try take("=")
    let (tensor, _) = try parseTensorData(tensorType, name: name, typePlace: place)
    return .tensor(NamedTensor(tensor, name: name))
  }
}
