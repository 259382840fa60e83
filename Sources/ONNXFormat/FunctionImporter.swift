import CPrunecONNX
import PrunecGraphIR

/// Reads `FunctionProto`s.
struct FunctionImporter {
  let session: ImportSession

  private static func location(of name: OperationName) -> Location {
    .node(name: name.description, operation: "function")
  }

  /// The functions of a model.
  ///
  /// Throws `.malformed` for two of one name and for functions that call themselves.
  func functions(
    _ protos: [Message<Onnx__FunctionProto>]
  ) throws(CompileError) -> [Function] {
    var functions: [Function] = []
    var indices: [OperationName: Int] = [:]
    for proto in protos {
      let function = try self.function(proto)
      guard indices.updateValue(functions.count, forKey: function.name) == nil else {
        throw CompileError(
          .malformed, "two functions have this name",
          at: Self.location(of: function.name))
      }
      functions.append(function)
    }
    try checkCalls(of: functions, indices)
    return functions
  }

  private func function(_ proto: Message<Onnx__FunctionProto>) throws(CompileError) -> Function {
    let function = proto.pointee
    let name = OperationName(
      text(function.name), domain: text(function.domain), overload: text(function.overload))
    guard !name.type.isEmpty else {
      throw CompileError(.malformed, "a function has no name")
    }
    let place = Self.location(of: name)
    let opsetImports = try OpsetImporter.imports(
      messages(function.opset_import, function.n_opset_import))
    var body = BodyImporter(
      graph: Graph(name: name.type, opsetImports: opsetImports), in: session)
    let infos = messages(function.value_info, function.n_value_info)
    body.describe(infos)

    var declared: [String: ValueType] = [:]
    for info in infos { declared[text(info.pointee.name)] = try body.type(of: info) }
    for (index, input) in texts(function.input, function.n_input).enumerated() {
      try body.checkNew(input, "input \(index) of the function", at: place)
      body.bind(input, to: body.graph.addInput(name: input, type: declared[input]))
    }
    let nodes = messages(function.node, function.n_node)
    try body.appendNodes(nodes)
    var outputNames: Set<String> = []
    for output in texts(function.output, function.n_output) {
      guard let value = body.values[output] else {
        throw CompileError(
          .malformed, "the function's output '\(output)' is not defined", at: place)
      }
      let name = outputNames.insert(output).inserted ? output : body.graph.uniqueName(output)
      outputNames.insert(name)
      body.graph.addOutput(name: name, value)
    }
    body.reserveNames(inSubgraphsOf: nodes)

    let attributes = AttributeImporter(
      session: session, location: place,
      context: SubgraphContext(opsetImports: opsetImports, captures: []))
    var defaults: [Attribute] = []
    for attribute in messages(function.attribute_proto, function.n_attribute_proto) {
      if let graph = attribute.pointee.g, let name = session.scope(of: graph).free.first {
        throw CompileError(
          .malformed, "a default graph uses '\(name)', which is not defined", at: place)
      }
      defaults.append(try attributes.attribute(attribute))
    }
    return Function(
      name: name, attributes: texts(function.attribute, function.n_attribute),
      attributeDefaults: defaults, body: body.graph,
      annotations: Annotations(
        of: proto, docString: function.doc_string, metadata: function.metadata_props,
        metadataCount: function.n_metadata_props))
  }

  /// Refuses functions that call themselves, however indirectly: their expansion has no end.
  private func checkCalls(
    of functions: [Function], _ indices: [OperationName: Int]
  ) throws(CompileError) {
    let calls = functions.map { function in
      var called: [Int] = []
      collectCalls(in: function.body, indices, &called)
      return called
    }
    enum State { case waiting, open, done }
    var states = [State](repeating: .waiting, count: functions.count)
    for root in functions.indices where states[root] == .waiting {
      var path = [(function: root, next: 0)]
      states[root] = .open
      while let (function, next) = path.last {
        guard next < calls[function].count else {
          states[function] = .done
          path.removeLast()
          continue
        }
        path[path.count - 1].next += 1
        let callee = calls[function][next]
        guard states[callee] != .open else {
          throw CompileError(
            .malformed, "the function calls itself",
            at: Self.location(of: functions[callee].name))
        }
        if states[callee] == .waiting {
          states[callee] = .open
          path.append((callee, 0))
        }
      }
    }
  }

  private func collectCalls(
    in graph: Graph, _ indices: [OperationName: Int], _ called: inout [Int]
  ) {
    for id in graph.nodes {
      if let index = indices[graph[id].operation] { called.append(index) }
      for attribute in graph[id].attributes {
        for subgraph in attribute.graphs { collectCalls(in: subgraph, indices, &called) }
      }
    }
  }
}
