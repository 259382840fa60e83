import CPrunecONNX
import PrunecGraphIR

/// Writes `GraphProto`s and the nodes of functions.
struct GraphExporter {
  let arena: MessageArena
  let plan: ExternalDataPlan?
  /// Whether the inputs list every initializer, as they had to before IR version 4.
  var listsInitializers = false

  /// The message for `graph`; `captures` are the names around it of what it captures.
  ///
  /// Throws `.malformed` for signatures that a file cannot express and `.usage` for tensors without
  /// data.
  func graph(
    _ graph: Graph, captures: [String] = [], enclosing: [ExportedNames.Enclosing] = []
  ) throws(CompileError) -> Message<Onnx__GraphProto> {
    let names = try ExportedNames(
      of: graph, captures: captures, enclosing: enclosing, isNested: !enclosing.isEmpty)
    let proto = arena.message(onnx__graph_proto__init)
    proto.pointee.name = arena.text(graph.name)
    proto.pointee.doc_string = arena.text(graph.annotations.docString)
    proto.pointee.n_metadata_props = graph.annotations.metadata.count
    proto.pointee.metadata_props = arena.entries(graph.annotations.metadata)
    let nodes = try self.nodes(of: graph, names, enclosing)
    proto.pointee.n_node = nodes.count
    proto.pointee.node = arena.pointers(nodes)

    try addInitializers(of: graph, names, to: proto)
    addSignature(of: graph, names, to: proto)
    let infos = valueInfos(of: graph, names)
    proto.pointee.n_value_info = infos.count
    proto.pointee.value_info = arena.pointers(infos)
    let quantization = graph.quantizationAnnotations.map {
      MessageArena.EncodedField(number: 14, message: $0)
    }
    arena.attach(
      unknownFields: graph.annotations.unknownFields, encoded: quantization, to: proto)
    return proto
  }

  private func addInitializers(
    of graph: Graph, _ names: ExportedNames, to proto: Message<Onnx__GraphProto>
  ) throws(CompileError) {
    let exporter = TensorExporter(arena: arena)
    var tensors: [Message<Onnx__TensorProto>] = []
    for id in graph.initializers {
      guard let tensor = graph[id].constant else {
        preconditionFailure("'\(graph[id].name)' is no initializer")
      }
      tensors.append(
        try exporter.tensor(
          tensor, name: names[id], annotations: graph[id].annotations, plan: plan))
    }
    proto.pointee.n_initializer = tensors.count
    proto.pointee.initializer = arena.pointers(tensors)
  }

  private func addSignature(
    of graph: Graph, _ names: ExportedNames, to proto: Message<Onnx__GraphProto>
  ) {
    let types = TypeExporter(arena: arena)
    var inputs = graph.inputs.map {
      types.valueInfo(name: names[$0], type: graph[$0].type, annotations: graph[$0].annotations)
    }
    for id in graph.initializers where graph[id].isListedAsInput || listsInitializers {
      inputs.append(
        types.valueInfo(
          name: names[id], type: graph[id].declaredInputType ?? graph[id].type,
          annotations: graph[id].inputAnnotations))
    }
    proto.pointee.n_input = inputs.count
    proto.pointee.input = arena.pointers(inputs)

    let outputs = zip(graph.outputs, names.outputNames).map { output, name in
      types.valueInfo(
        name: name, type: output.declaredType ?? graph[output.value].type,
        annotations: output.annotations)
    }
    proto.pointee.n_output = outputs.count
    proto.pointee.output = arena.pointers(outputs)
  }

  /// What is known of the results of nodes, other than of outputs of which all is said there.
  private func valueInfos(
    of graph: Graph, _ names: ExportedNames
  ) -> [Message<Onnx__ValueInfoProto>] {
    var redundant: Set<String> = []
    for (output, name) in zip(graph.outputs, names.outputNames)
    where output.declaredType == nil && graph[output.value].annotations == .none {
      redundant.insert(name)
    }
    return valueInfos(of: graph, names, except: redundant)
  }

  /// What is known of the results of nodes, by name, in the order of the nodes.
  func valueInfos(
    of graph: Graph, _ names: ExportedNames, except redundant: Set<String>
  ) -> [Message<Onnx__ValueInfoProto>] {
    let types = TypeExporter(arena: arena)
    var infos: [Message<Onnx__ValueInfoProto>] = []
    for node in graph.nodes {
      for id in graph[node].outputs.compactMap({ $0 }) where !redundant.contains(names[id]) {
        let value = graph[id]
        guard value.type != nil || value.annotations != .none else { continue }
        infos.append(
          types.valueInfo(name: names[id], type: value.type, annotations: value.annotations))
      }
    }
    return infos
  }

  // MARK: Nodes

  /// The nodes, and behind them those that give an output its name.
  func nodes(
    of graph: Graph, _ names: ExportedNames, _ enclosing: [ExportedNames.Enclosing]
  ) throws(CompileError) -> [Message<Onnx__NodeProto>] {
    var protos: [Message<Onnx__NodeProto>] = []
    for (position, id) in graph.nodes.enumerated() {
      protos.append(
        try node(
          graph[id], names, enclosing + [ExportedNames.Enclosing(names: names, position: position)])
      )
    }
    for output in names.identityOutputs {
      let proto = arena.message(onnx__node_proto__init)
      proto.pointee.op_type = arena.requiredText("Identity")
      proto.pointee.n_input = 1
      proto.pointee.input = arena.texts([names[output.source]])
      proto.pointee.n_output = 1
      proto.pointee.output = arena.texts([output.name])
      protos.append(proto)
    }
    return protos
  }

  private func node(
    _ node: Node, _ names: ExportedNames, _ enclosing: [ExportedNames.Enclosing]
  ) throws(CompileError) -> Message<Onnx__NodeProto> {
    let proto = arena.message(onnx__node_proto__init)
    proto.pointee.name = arena.text(node.name)
    proto.pointee.op_type = arena.requiredText(node.operation.type)
    proto.pointee.domain = arena.text(node.operation.domain)
    proto.pointee.overload = arena.text(node.operation.overload)
    proto.pointee.doc_string = arena.text(node.annotations.docString)
    proto.pointee.n_metadata_props = node.annotations.metadata.count
    proto.pointee.metadata_props = arena.entries(node.annotations.metadata)
    proto.pointee.n_input = node.inputs.count
    proto.pointee.input = arena.texts(node.inputs.map { $0.map { names[$0] } ?? "" })
    proto.pointee.n_output = node.outputs.count
    proto.pointee.output = arena.texts(node.outputs.map { $0.map { names[$0] } ?? "" })

    let captures = node.captures.map { names[$0] }
    let exporter = AttributeExporter(arena: arena) { (graph) throws(CompileError) in
      try self.graph(graph, captures: captures, enclosing: enclosing)
    }
    var attributes: [Message<Onnx__AttributeProto>] = []
    for attribute in node.attributes { attributes.append(try exporter.attribute(attribute)) }
    proto.pointee.n_attribute = attributes.count
    proto.pointee.attribute = arena.pointers(attributes)
    arena.attach(
      unknownFields: node.annotations.unknownFields,
      encoded: node.deviceConfigurations.map { .init(number: 10, message: $0) }, to: proto)
    return proto
  }
}
