import CPrunecONNX
import PrunecGraphIR
import PrunecTensors

/// Reads a `GraphProto`.
struct GraphImporter {
  private let proto: Onnx__GraphProto
  private let scope: GraphScope
  private let session: ImportSession
  private let nodes: [Message<Onnx__NodeProto>]
  private var body: BodyImporter

  init(
    _ message: Message<Onnx__GraphProto>, opsetImports: [OpsetImport], in session: ImportSession
  ) {
    proto = message.pointee
    scope = session.scope(of: message)
    self.session = session
    nodes = messages(proto.node, proto.n_node)
    var graph = Graph(name: text(proto.name), opsetImports: opsetImports)
    graph.annotations = Annotations(
      of: message, docString: proto.doc_string, metadata: proto.metadata_props,
      metadataCount: proto.n_metadata_props)
    graph.quantizationAnnotations = messages(
      proto.quantization_annotation, proto.n_quantization_annotation
    ).map { serialized($0) }
    body = BodyImporter(graph: graph, in: session)
  }

  /// The graph of a model.
  mutating func mainGraph() throws(CompileError) -> Graph {
    if let name = scope.free.first { throw danglingUse(of: name, in: nodes) }
    try build(isNested: false)
    return body.graph
  }

  /// A nested graph. `captures` is what the subgraphs of its node use of the graph around, by name;
  /// this one need not use all of it.
  mutating func graph(
    capturing captures: [(name: String, type: ValueType?)]
  ) throws(CompileError) -> Graph {
    var taken = Set(captures.map(\.name))
    for (name, type) in captures {
      guard scope.defined.contains(name) else {
        body.bind(name, to: body.graph.addCapture(name: name, type: type))
        continue
      }
      // Another branch captures a value that has the name of one defined here: nothing here can
      // refer to it, so it may go by any name.
      var number = 1
      while !taken.insert("\(name)_captured_\(number)").inserted
        || scope.defined.contains("\(name)_captured_\(number)")
      { number += 1 }
      body.graph.addCapture(name: "\(name)_captured_\(number)", type: type)
    }
    try build(isNested: true)
    return body.graph
  }

  private mutating func build(isNested: Bool) throws(CompileError) {
    let outputs = messages(proto.output, proto.n_output)
    body.describe(messages(proto.value_info, proto.n_value_info))
    try addInputs()
    try addInitializers()
    try body.appendNodes(nodes)
    try addOutputs(outputs, isNested: isNested)
    body.reserveNames(inSubgraphsOf: nodes)
  }

  private mutating func addInputs() throws(CompileError) {
    let constants = Set(
      messages(proto.initializer, proto.n_initializer).map { text($0.pointee.name) })
    let sparse = Set(
      messages(proto.sparse_initializer, proto.n_sparse_initializer).map {
        text($0.pointee.values?.pointee.name)
      })
    var listed: Set<String> = []
    for (index, input) in messages(proto.input, proto.n_input).enumerated() {
      let name = text(input.pointee.name)
      try body.checkNew(name, "input \(index) of the graph")
      guard listed.insert(name).inserted else {
        throw CompileError(.malformed, "two graph inputs have this name", at: .value(name))
      }
      if constants.contains(name) || sparse.contains(name) { continue }
      let id = body.graph.addInput(name: name, type: try body.type(of: input))
      body.graph.setAnnotations(of: id, to: annotations(of: input))
      body.bind(name, to: id)
    }
  }

  private mutating func addInitializers() throws(CompileError) {
    var listed: [String: Message<Onnx__ValueInfoProto>] = [:]
    for input in messages(proto.input, proto.n_input) { listed[text(input.pointee.name)] = input }

    let importer = TensorImporter(session: session)
    for (index, tensor) in messages(proto.initializer, proto.n_initializer).enumerated() {
      let name = text(tensor.pointee.name)
      try body.checkNew(name, "initializer \(index) of the graph")
      let id = body.graph.addInitializer(name: name, try importer.tensor(tensor, name: name))
      body.graph.setAnnotations(of: id, to: annotations(of: tensor))
      body.graph.setExternalLocation(of: id, to: externalLocation(of: tensor))
      if let input = listed[name] { try list(id, as: input) }
      body.bind(name, to: id)
    }
    let sparseInitializers = messages(proto.sparse_initializer, proto.n_sparse_initializer)
    for (index, sparse) in sparseInitializers.enumerated() {
      let name = text(sparse.pointee.values?.pointee.name)
      try body.checkNew(name, "sparse initializer \(index) of the graph")
      let dense = try SparseTensorImporter(session: session).tensor(sparse, name: name)
      let id = body.graph.addInitializer(name: name, dense)
      if let input = listed[name] { try list(id, as: input) }
      body.bind(name, to: id)
    }
  }

  private mutating func list(
    _ id: ValueID, as input: Message<Onnx__ValueInfoProto>
  ) throws(CompileError) {
    let type = try body.type(of: input)
    body.graph.listAsInput(
      id, declaredType: type == body.graph[id].type ? nil : type,
      annotations: annotations(of: input))
  }

  private func externalLocation(of tensor: Message<Onnx__TensorProto>) -> String? {
    guard tensor.pointee.has_data_location != 0,
      tensor.pointee.data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL
    else { return nil }
    let entries = messages(tensor.pointee.external_data, tensor.pointee.n_external_data)
    return entries.first { text($0.pointee.key) == "location" }.map { text($0.pointee.value) }
  }

  private mutating func addOutputs(
    _ outputs: [Message<Onnx__ValueInfoProto>], isNested: Bool
  ) throws(CompileError) {
    var names: Set<String> = []
    for (index, output) in outputs.enumerated() {
      let name = text(output.pointee.name)
      guard !name.isEmpty else {
        throw CompileError(.malformed, "output \(index) of the graph has no name")
      }
      guard let value = body.values[name] else {
        throw CompileError(.malformed, "the graph output is not defined", at: .value(name))
      }
      var signatureName = name
      if !names.insert(name).inserted {
        // The outputs of a nested graph go by position, and loops are written that carry one value
        // twice; those of a model go by position and by name.
        signatureName = body.graph.uniqueName(name)
        names.insert(signatureName)
        if !isNested {
          session.warn(
            "is listed twice among the outputs; the second is called '\(signatureName)'",
            at: .value(name))
        }
      }
      let declared = try body.type(of: output)
      if body.graph[value].type == nil { body.graph.setType(of: value, to: declared) }
      body.graph.addOutput(
        name: signatureName, value,
        declaredType: body.graph[value].type == declared ? nil : declared,
        annotations: annotations(of: output))
    }
  }

  /// The error for a name that nothing defines, at the node that uses it, however deep.
  private func danglingUse(of name: String, in nodes: [Message<Onnx__NodeProto>]) -> CompileError {
    for node in nodes {
      if texts(node.pointee.input, node.pointee.n_input).contains(name) {
        return CompileError(
          .malformed, "the node uses '\(name)', which is not defined", at: location(of: node))
      }
      for subgraph in subgraphs(of: node) where session.scope(of: subgraph).free.contains(name) {
        return danglingUse(
          of: name, in: messages(subgraph.pointee.node, subgraph.pointee.n_node))
      }
    }
    return CompileError(.malformed, "the graph output is not defined", at: .value(name))
  }
}
