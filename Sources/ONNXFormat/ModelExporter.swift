import CPrunecONNX
import PrunecGraphIR

/// Writes `ModelProto`s.
struct ModelExporter {
  let arena: MessageArena
  /// Where large initializers go; `nil` for into the model.
  let plan: ExternalDataPlan?

  /// The message for `model`, which points into the model's tensors.
  ///
  /// Throws as `exportModel` does.
  func model(_ model: Model) throws(CompileError) -> Message<Onnx__ModelProto> {
    try Verifier.verify(model.graph, "the model to write")
    let proto = arena.message(onnx__model_proto__init)
    proto.pointee.has_ir_version = 1
    proto.pointee.ir_version = Int64(model.irVersion)
    proto.pointee.producer_name = arena.text(model.producerName)
    proto.pointee.producer_version = arena.text(model.producerVersion)
    proto.pointee.domain = arena.text(model.domain)
    if let version = model.modelVersion {
      proto.pointee.has_model_version = 1
      proto.pointee.model_version = Int64(version)
    }
    proto.pointee.doc_string = arena.text(model.annotations.docString)
    proto.pointee.n_metadata_props = model.annotations.metadata.count
    proto.pointee.metadata_props = arena.entries(model.annotations.metadata)
    let imports = opsetImports(model.graph.opsetImports)
    proto.pointee.n_opset_import = imports.count
    proto.pointee.opset_import = arena.pointers(imports)
    let graphs = GraphExporter(
      arena: arena, plan: plan, listsInitializers: model.irVersion < 4)
    proto.pointee.graph = try graphs.graph(model.graph)
    var functions: [Message<Onnx__FunctionProto>] = []
    for function in model.functions { functions.append(try self.function(function)) }
    proto.pointee.n_functions = functions.count
    proto.pointee.functions = arena.pointers(functions)
    arena.attach(
      unknownFields: model.annotations.unknownFields,
      encoded: model.trainingInfo.map { .init(number: 20, message: $0) }
        + model.deviceConfigurations.map { .init(number: 26, message: $0) },
      to: proto)
    return proto
  }

  private func opsetImports(_ imports: [OpsetImport]) -> [Message<Onnx__OperatorSetIdProto>] {
    imports.map { opset in
      let proto = arena.message(onnx__operator_set_id_proto__init)
      proto.pointee.domain = arena.requiredText(opset.domain)
      proto.pointee.has_version = 1
      proto.pointee.version = Int64(opset.version)
      arena.attach(unknownFields: opset.annotations.unknownFields, to: proto)
      return proto
    }
  }

  private func function(_ function: Function) throws(CompileError) -> Message<Onnx__FunctionProto> {
    let body = function.body
    let names = try ExportedNames(of: body, captures: [], enclosing: [], isNested: true)
    guard body.initializers.isEmpty else {
      throw CompileError(
        .malformed, "a function's body cannot hold constants of its own",
        at: .node(name: function.name.description, operation: "function"))
    }
    let proto = arena.message(onnx__function_proto__init)
    proto.pointee.name = arena.requiredText(function.name.type)
    proto.pointee.domain = arena.text(function.name.domain)
    proto.pointee.overload = arena.text(function.name.overload)
    proto.pointee.doc_string = arena.text(function.annotations.docString)
    proto.pointee.n_metadata_props = function.annotations.metadata.count
    proto.pointee.metadata_props = arena.entries(function.annotations.metadata)
    proto.pointee.n_input = body.inputs.count
    proto.pointee.input = arena.texts(body.inputs.map { names[$0] })
    proto.pointee.n_output = body.outputs.count
    proto.pointee.output = arena.texts(names.outputNames)
    proto.pointee.n_attribute = function.attributes.count
    proto.pointee.attribute = arena.texts(function.attributes)

    let graphs = GraphExporter(arena: arena, plan: nil)
    let attributes = AttributeExporter(arena: arena) { (graph) throws(CompileError) in
      try graphs.graph(graph)
    }
    var defaults: [Message<Onnx__AttributeProto>] = []
    for attribute in function.attributeDefaults {
      defaults.append(try attributes.attribute(attribute))
    }
    proto.pointee.n_attribute_proto = defaults.count
    proto.pointee.attribute_proto = arena.pointers(defaults)
    let nodes = try graphs.nodes(of: body, names, [])
    proto.pointee.n_node = nodes.count
    proto.pointee.node = arena.pointers(nodes)
    let imports = opsetImports(body.opsetImports)
    proto.pointee.n_opset_import = imports.count
    proto.pointee.opset_import = arena.pointers(imports)

    let types = TypeExporter(arena: arena)
    let inputInfos = body.inputs.filter { body[$0].type != nil }.map {
      types.valueInfo(name: names[$0], type: body[$0].type, annotations: body[$0].annotations)
    }
    let infos = inputInfos + graphs.valueInfos(of: body, names, except: [])
    proto.pointee.n_value_info = infos.count
    proto.pointee.value_info = arena.pointers(infos)
    arena.attach(unknownFields: function.annotations.unknownFields, to: proto)
    return proto
  }
}
