import PrunecGraphIR

extension Parser {
  private static let assumedIRVersion = 10
  private static let assumedOpset = 21

  /// What a model without a header imports.
  private var assumedImports: [OpsetImport] {
    [OpsetImport("", Self.assumedOpset)] + assumedDomains.map { OpsetImport($0, 1) }
  }

  /// The whole text: header, graph, functions.
  mutating func parseModel() throws(CompileError) -> Model {
    var model = Model(irVersion: Self.assumedIRVersion, graph: Graph(name: "", opsetImports: []))
    var imports = assumedImports
    if try take("<") {
      hasHeader = true
      try commaSeparated { (parser) throws(CompileError) in
        try parser.parseHeaderField(of: &model, &imports)
      }
      try expect(">", "after the model's header")
    }
    let name = try expectName("the name of the graph")
    model.graph = try parseGraph(name: name, imports: imports)
    while token.kind != .end {
      let place = token
      let function = try parseFunction(imports: imports)
      if model.functions.contains(where: { $0.name == function.name }) {
        throw failure("function '\(function.name)' is already defined", at: place)
      }
      model.functions.append(function)
    }
    return model
  }

  private mutating func parseHeaderField(
    of model: inout Model, _ imports: inout [OpsetImport]
  ) throws(CompileError) {
    let place = token
    let key = try expectIdentifier("a field of the model's header")
    try expect(":", "after '\(key)'")
    switch key {
    case "ir_version": model.irVersion = try expectInteger("the IR version")
    case "opset_import": imports = try parseOpsetImports()
    case "producer_name": model.producerName = try expectText("a string")
    case "producer_version": model.producerVersion = try expectText("a string")
    case "domain": model.domain = try expectText("a string")
    case "model_version": model.modelVersion = try expectInteger("the version of the model")
    case "doc_string": model.annotations.docString = try expectText("a string")
    case "metadata_props": model.annotations.metadata = try parseEntries()
    default: throw failure("a model's header has no field '\(key)'", at: place)
    }
  }

  /// `["" : 21, "ai.onnx.ml" : 3]`.
  private mutating func parseOpsetImports() throws(CompileError) -> [OpsetImport] {
    var imports: [OpsetImport] = []
    try expect("[", "before the imported operator sets")
    if !isAt("]") {
      try commaSeparated { (parser) throws(CompileError) in
        let domain = try parser.expectText("the domain of an operator set")
        try parser.expect(":", "after the domain of an operator set")
        imports.append(OpsetImport(domain, try parser.expectInteger("the version of '\(domain)'")))
      }
    }
    try expect("]", "after the imported operator sets")
    return imports
  }

  /// `["key" : "value"]`.
  mutating func parseEntries() throws(CompileError) -> [Annotations.Entry] {
    var entries: [Annotations.Entry] = []
    try expect("[", "before a list of keys and values")
    if !isAt("]") {
      try commaSeparated { (parser) throws(CompileError) in
        let key = try parser.expectText("a key")
        try parser.expect(":", "after the key")
        entries.append(Annotations.Entry(key: key, value: try parser.expectText("a value")))
      }
    }
    try expect("]", "after the list of keys and values")
    return entries
  }

  // MARK: Functions

  private mutating func parseFunction(imports: [OpsetImport]) throws(CompileError) -> Function {
    var domain = ""
    var overload = ""
    var imports = imports
    var annotations = Annotations.none
    if try take("<") {
      try commaSeparated { (parser) throws(CompileError) in
        let place = parser.token
        let key = try parser.expectIdentifier("a field of the function's header")
        try parser.expect(":", "after '\(key)'")
        switch key {
        case "opset_import": imports = try parser.parseOpsetImports()
        case "domain": domain = try parser.expectText("a string")
        case "overload": overload = try parser.expectText("a string")
        case "doc_string": annotations.docString = try parser.expectText("a string")
        default:
          throw parser.failure("a function's header has no field '\(key)'", at: place)
        }
      }
      try expect(">", "after the function's header")
    }
    let name = try expectName("the name of a function")
    let (required, defaults) = try parseFunctionAttributes()
    return Function(
      name: OperationName(name, domain: domain, overload: overload), attributes: required,
      attributeDefaults: defaults, body: try parseFunctionBody(name: name, imports: imports),
      annotations: annotations)
  }

  /// `<alpha, beta: float = 1.0>`: names, and attributes with a default.
  private mutating func parseFunctionAttributes() throws(CompileError) -> ([String], [Attribute]) {
    var required: [String] = []
    var defaults: [Attribute] = []
    guard try take("<") else { return ([], []) }
    // A default that is a graph sees no values around it.
    let outer = scopes
    scopes = []
    defer { scopes = outer }
    try commaSeparated { (parser) throws(CompileError) in
      let place = parser.token
      let name = try parser.expectName("the name of an attribute")
      if required.contains(name) || defaults.contains(where: { $0.name == name }) {
        throw parser.failure("attribute '\(name)' is given twice", at: place)
      }
      if parser.isAt(":") || parser.isAt("=") {
        defaults.append(try parser.parseAttribute(name: name))
      } else {
        required.append(name)
      }
    }
    try expect(">", "after the attributes of the function")
    return (required, defaults)
  }
}
