import PrunecGraphIR
import PrunecTensors

/// An entry of a graph's inputs, outputs or declarations, with its place in the text.
private struct Declaration {
  var place: Token
  var name: String
  var type: ValueType?
  var data: (tensor: Tensor, externalLocation: String?)?
}

extension Parser {
  /// A graph from its inputs on; `name` has been read.
  mutating func parseGraph(name: String, imports: [OpsetImport]) throws(CompileError) -> Graph {
    try nested { (parser) throws(CompileError) in
      try parser.parseGraphHere(name: name, imports: imports)
    }
  }

  private mutating func parseGraphHere(
    name: String, imports: [OpsetImport]
  ) throws(CompileError) -> Graph {
    let inputs = isAt("(") ? try parseDeclarations("(", ")", "inputs", allowData: true) : []
    try expectArrow("after the inputs of graph '\(name)'")
    let outputs = try parseDeclarations("(", ")", "outputs", allowData: false)
    let others = isAt("<") ? try parseDeclarations("<", ">", "declarations", allowData: true) : []
    return try parseBody(
      Graph(name: name, opsetImports: imports), inputs: inputs, outputs: outputs, others: others)
  }

  /// A function's body from its inputs on. It sees nothing of the graphs read before.
  mutating func parseFunctionBody(
    name: String, imports: [OpsetImport]
  ) throws(CompileError) -> Graph {
    let inputs = try parseDeclarations("(", ")", "inputs", allowData: false)
    try expectArrow("after the inputs of function '\(name)'")
    let outputs = try parseDeclarations("(", ")", "outputs", allowData: false)
    let others = isAt("<") ? try parseDeclarations("<", ">", "declarations", allowData: false) : []
    return try parseBody(
      Graph(name: name, opsetImports: imports), inputs: inputs, outputs: outputs, others: others)
  }

  // MARK: Declarations

  private mutating func parseDeclarations(
    _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ what: String, allowData: Bool
  ) throws(CompileError) -> [Declaration] {
    var declarations: [Declaration] = []
    try expect(open, "before the \(what)")
    if !isAt(close) {
      try commaSeparated { (parser) throws(CompileError) in
        declarations.append(try parser.parseDeclaration(allowData: allowData))
      }
    }
    try expect(close, "after the \(what)")
    return declarations
  }

  /// `float[2] name`, `name`, `float[2] name = {1.0, 2.0}`.
  private mutating func parseDeclaration(
    allowData: Bool
  ) throws(CompileError) -> Declaration {
    let typePlace = token
    let type = isAtType ? try parseType() : nil
    let place = token
    let name = try expectName("the name of a value")
    guard !name.isEmpty else { throw failure("expected the name of a value", at: place) }
    var declaration = Declaration(place: place, name: name, type: type)
    guard allowData, try take("=") else { return declaration }
    guard let tensorType = type?.tensorType else {
      throw failure("data needs the type of a tensor", at: typePlace)
    }
    let (tensor, location) = try parseTensorData(tensorType, name: name, typePlace: typePlace)
    declaration.data = (tensor, location)
    return declaration
  }

  // MARK: Bodies

  private mutating func parseBody(
    _ graph: Graph, inputs: [Declaration], outputs: [Declaration], others: [Declaration]
  ) throws(CompileError) -> Graph {
    let level = scopes.count
    scopes.append(Scope(graph: graph))
    defer { scopes.removeSubrange(level...) }

    try define(inputs: inputs, others: others)
    for declaration in outputs + others where declaration.data == nil {
      scopes[level].declaredTypes[declaration.name] = declaration.type
    }
    try expect("{", "before the nodes")
    while try !take("}") { try parseNode() }
    try define(outputs: outputs)

    let names = scopes[level].graph.valueIDs.map { scopes[level].graph[$0].name }
    let innerNames = scopes[level].innerNames
    // Only now: a node may define a name that its own subgraphs use for values of theirs.
    for name in innerNames { scopes[level].graph.reserve(name: name) }
    if level > 0 { scopes[level - 1].innerNames += names + innerNames }
    return scopes[level].graph
  }

  /// Defines inputs and constants. An input that has data, here or among the other declarations, is
  /// a constant that is also listed as an input.
  private mutating func define(
    inputs: [Declaration], others: [Declaration]
  ) throws(CompileError) {
    let level = scopes.count - 1
    let constantNames = Set(others.lazy.filter { $0.data != nil }.map(\.name))
    var listed: Set<String> = []
    for input in inputs {
      if listed.contains(input.name) {
        throw failure("'\(input.name)' is already defined", at: input.place)
      }
      try requireUndefined(input.name, at: input.place)
      if input.data != nil || constantNames.contains(input.name) {
        listed.insert(input.name)
      } else {
        let type = input.type ?? others.first { $0.name == input.name }?.type
        scopes[level].values[input.name] = scopes[level].graph.addInput(
          name: input.name, type: type)
      }
    }
    for constant in inputs + others {
      guard let data = constant.data else { continue }
      try requireUndefined(constant.name, at: constant.place)
      let id = scopes[level].graph.addInitializer(name: constant.name, data.tensor)
      if let location = data.externalLocation {
        scopes[level].graph.setExternalLocation(of: id, to: location)
      }
      if listed.contains(constant.name) {
        scopes[level].graph.listAsInput(id, annotations: .none)
      }
      scopes[level].values[constant.name] = id
    }
  }

  private mutating func define(outputs: [Declaration]) throws(CompileError) {
    let level = scopes.count - 1
    var names: Set<String> = []
    for output in outputs {
      guard names.insert(output.name).inserted else {
        throw failure("two outputs are called '\(output.name)'", at: output.place)
      }
      guard let value = resolve(output.name) else {
        throw failure("output '\(output.name)' is not defined", at: output.place)
      }
      let differs = output.type != nil && output.type != scopes[level].graph[value].type
      scopes[level].graph.addOutput(
        name: output.name, value, declaredType: differs ? output.type : nil)
    }
  }

  // MARK: Nodes

  /// `[name] y, z = domain.Operator:overload <attributes> (a, b)`; the attributes may come last.
  private mutating func parseNode() throws(CompileError) {
    let level = scopes.count - 1
    let place = token
    var name = ""
    if try take("[") {
      if isAtName { name = try expectName("the name of the node") }
      try expect("]", "after the name of the node")
    }
    if token.kind == .end { throw expected("a node or '}'") }
    let outputs = try parseNameList("the outputs of a node")
    try expect("=", "after the outputs of the node")
    let operation = try parseOperation()
    note(domain: operation.domain)

    scopes[level].captures = []
    var attributes = try parseAttributes()
    try expect("(", "before the inputs of the node")
    var inputs: [ValueID?] = []
    for (name, place) in try parseNameList("the inputs of a node") {
      guard !name.isEmpty else {
        inputs.append(nil)
        continue
      }
      guard let value = resolve(name) else {
        throw failure("'\(name)' is not defined here", at: place)
      }
      inputs.append(value)
    }
    try expect(")", "after the inputs of the node")
    if attributes.isEmpty { attributes = try parseAttributes() }
    for index in attributes.indices { padSubgraphs(of: &attributes[index]) }

    for (index, output) in outputs.enumerated() where !output.name.isEmpty {
      try requireUndefined(output.name, at: output.place)
      if outputs[..<index].contains(where: { $0.name == output.name }) {
        throw failure("'\(output.name)' is already defined", at: output.place)
      }
    }
    let types = scopes[level].declaredTypes
    let id = scopes[level].graph.insert(
      operation, name: name, inputs: inputs, captures: scopes[level].captures,
      outputs: outputs.map { $0.name.isEmpty ? nil : (name: $0.name, type: types[$0.name]) },
      attributes: attributes, at: .atEnd)
    for output in scopes[level].graph[id].outputs.compactMap({ $0 }) {
      scopes[level].values[scopes[level].graph[output].name] = output
    }
    nodeOffsets.append((place.start, scopes[level].graph.location(of: id)))
  }

  private mutating func parseOperation() throws(CompileError) -> OperationName {
    let parts = try parseQualifiedName("the operator of the node")
    let overload = try take(":") ? try expectName("an overload after ':'") : ""
    return OperationName(
      parts.last!, domain: parts.dropLast(2).joined(), overload: overload)
  }

  private mutating func note(domain: String) {
    guard !hasHeader, !domain.isEmpty, !assumedDomains.contains(domain),
      !namedDomains.contains(domain)
    else { return }
    namedDomains.append(domain)
  }

  private func padSubgraphs(of attribute: inout Attribute) {
    let scope = scopes[scopes.count - 1]
    switch attribute.value {
    case .graph(var graph):
      scope.pad(&graph)
      attribute.value = .graph(graph)
    case .graphs(var graphs):
      for index in graphs.indices { scope.pad(&graphs[index]) }
      attribute.value = .graphs(graphs)
    default: break
    }
  }

  /// Names separated by commas. An omitted one is `""` or nothing before a comma; nothing after the
  /// last comma is no name.
  private mutating func parseNameList(
    _ what: String
  ) throws(CompileError) -> [(name: String, place: Token)] {
    var names: [(name: String, place: Token)] = []
    while isAtName || isAt(",") {
      let place = token
      names.append((isAt(",") ? "" : try expectName(what), place))
      guard try take(",") else { break }
    }
    return names
  }
}
