import CPrunecONNX
import PrunecGraphIR

/// What the subgraphs of a node need to know of the graph around them.
struct SubgraphContext {
  let opsetImports: [OpsetImport]
  /// The values that the subgraphs of the node take from around them, by name.
  let captures: [(name: String, type: ValueType?)]

  /// The nested graph that `proto` describes.
  func graph(
    _ proto: Message<Onnx__GraphProto>, in session: ImportSession, at location: Location
  ) throws(CompileError) -> Graph {
    try session.countCaptures(captures.count, at: location)
    var importer = GraphImporter(proto, opsetImports: opsetImports, in: session)
    return try importer.graph(capturing: captures)
  }
}

/// Builds values and nodes of a graph or of a function's body.
struct BodyImporter {
  let session: ImportSession
  var graph: Graph
  /// The values that can be used so far, by their names in the file.
  private(set) var values: [String: ValueID] = [:]
  /// The types and annotations that the file gives for results of nodes.
  private var described: [String: Message<Onnx__ValueInfoProto>] = [:]

  init(graph: Graph, in session: ImportSession) {
    self.graph = graph
    self.session = session
  }

  /// Notes what the file says of values by name.
  mutating func describe(_ infos: [Message<Onnx__ValueInfoProto>]) {
    for info in infos {
      let name = text(info.pointee.name)
      if described[name] == nil { described[name] = info }
    }
  }

  /// Makes `value` the one called `name`. The name must be new.
  mutating func bind(_ name: String, to value: ValueID) { values[name] = value }

  /// Checks that a value may be called `name`. `role` is what diagnostics call it without a name.
  func checkNew(_ name: String, _ role: String, at location: Location? = nil) throws(CompileError) {
    guard !name.isEmpty else {
      throw CompileError(.malformed, "\(role) has no name", at: location)
    }
    guard values[name] == nil else {
      throw CompileError(.malformed, "\(role) has the name of another value", at: .value(name))
    }
  }

  func type(
    of info: Message<Onnx__ValueInfoProto>
  ) throws(CompileError) -> ValueType? {
    guard let type = info.pointee.type else { return nil }
    return try TypeImporter.type(type, at: .value(text(info.pointee.name)), in: session)
  }

  // MARK: Nodes

  /// Appends the nodes, in an order in which values are defined before they are used.
  mutating func appendNodes(_ nodes: [Message<Onnx__NodeProto>]) throws(CompileError) {
    try checkResults(of: nodes)
    values.reserveCapacity(values.count + nodes.count)
    let order = try NodeOrder(of: nodes, in: session)
    if let misplaced = order.firstMisplaced {
      session.warn(
        "the node uses a value that is defined only after it; nodes were reordered",
        at: location(of: nodes[misplaced]))
    }
    for index in order.indices { try appendNode(nodes[index]) }
  }

  /// Results are checked against each other before anything refers to them by name.
  private func checkResults(of nodes: [Message<Onnx__NodeProto>]) throws(CompileError) {
    var seen = Set<String>(minimumCapacity: nodes.count)
    for node in nodes {
      for name in texts(node.pointee.output, node.pointee.n_output) where !name.isEmpty {
        guard values[name] == nil, seen.insert(name).inserted else {
          throw CompileError(
            .malformed, "the node's result '\(name)' has the name of another value",
            at: location(of: node))
        }
      }
    }
  }

  private mutating func appendNode(_ proto: Message<Onnx__NodeProto>) throws(CompileError) {
    let place = location(of: proto)
    let operation = OperationName(
      text(proto.pointee.op_type), domain: text(proto.pointee.domain),
      overload: text(proto.pointee.overload))
    guard !operation.type.isEmpty else {
      throw CompileError(.malformed, "the node has no operator", at: place)
    }

    var inputs: [ValueID?] = []
    for name in texts(proto.pointee.input, proto.pointee.n_input) {
      inputs.append(name.isEmpty ? nil : try use(name, at: place))
    }
    let captured = capturedNames(of: proto, in: session)
    var captures: [ValueID] = []
    for name in captured { captures.append(try use(name, at: place)) }

    let context = SubgraphContext(
      opsetImports: graph.opsetImports,
      captures: zip(captured, captures).map { ($0, graph[$1].type) })
    let importer = AttributeImporter(
      session: session, location: place, context: context,
      isConstant: operation.type == "Constant" && ["", "ai.onnx"].contains(operation.domain))
    var attributes: [Attribute] = []
    var attributeNames: Set<String> = []
    for attribute in messages(proto.pointee.attribute, proto.pointee.n_attribute) {
      attributes.append(try importer.attribute(attribute))
      let name = attributes[attributes.count - 1].name
      guard attributeNames.insert(name).inserted else {
        throw CompileError(.malformed, "attribute '\(name)' is given twice", at: place)
      }
    }

    let names = texts(proto.pointee.output, proto.pointee.n_output)
    var outputs: [(name: String, type: ValueType?)?] = []
    for name in names {
      outputs.append(name.isEmpty ? nil : (name, try described[name].flatMapType(self)))
    }
    let id = graph.insert(
      operation, name: text(proto.pointee.name), inputs: inputs, captures: captures,
      outputs: outputs, attributes: attributes,
      annotations: Annotations(
        of: proto, docString: proto.pointee.doc_string, metadata: proto.pointee.metadata_props,
        metadataCount: proto.pointee.n_metadata_props),
      deviceConfigurations: messages(
        proto.pointee.device_configurations, proto.pointee.n_device_configurations
      ).map { serialized($0) },
      at: .atEnd)
    for output in graph[id].outputs {
      guard let output else { continue }
      let name = graph[output].name
      values[name] = output
      if let info = described[name] {
        graph.setAnnotations(of: output, to: annotations(of: info))
      }
    }
  }

  private func use(_ name: String, at location: Location) throws(CompileError) -> ValueID {
    guard let value = values[name] else {
      throw CompileError(.malformed, "the node uses '\(name)', which is not defined", at: location)
    }
    return value
  }

  /// Marks the names of values in nested graphs as taken, since all share one name space. Must come
  /// after every value of this graph.
  mutating func reserveNames(inSubgraphsOf nodes: [Message<Onnx__NodeProto>]) {
    for node in nodes {
      for subgraph in subgraphs(of: node) {
        for name in session.scope(of: subgraph).defined { graph.reserve(name: name) }
        reserveNames(inSubgraphsOf: messages(subgraph.pointee.node, subgraph.pointee.n_node))
      }
    }
  }
}

extension Message<Onnx__ValueInfoProto>? {
  fileprivate func flatMapType(_ body: BodyImporter) throws(CompileError) -> ValueType? {
    guard let self else { return nil }
    return try body.type(of: self)
  }
}
