import CPrunecONNX
import PrunecFiles
import PrunecGraphIR

/// Reads the model in the file at `path`. Its weights are borrowed from the mapped file.
///
/// Throws `.inputOutput` where the file or one of its external data files cannot be read, and
/// `.malformed` where it breaks the format, naming the byte, node or value.
public func importModel(
  path: String, options: ImportOptions = ImportOptions()
) throws(CompileError) -> ImportedModel {
  let file = try MappedFile(path: path)
  var imported = try importModel(
    bytes: file.bytes, owner: file, folder: folder(of: path), options: options)
  imported.sourceFiles.insert(file.identity, at: 0)
  return imported
}

/// Reads a serialized `ModelProto`, which cannot have external data.
///
/// Throws as `importModel(path:options:)` does.
public func importModel(
  bytes: [UInt8], options: ImportOptions = ImportOptions()
) throws(CompileError) -> ImportedModel {
  let owner = OwnedBytes(bytes)
  return try importModel(bytes: owner.bytes, owner: owner, folder: nil, options: options)
}

private func importModel(
  bytes: UnsafeRawBufferPointer, owner: AnyObject, folder: String?, options: ImportOptions
) throws(CompileError) -> ImportedModel {
  guard !bytes.isEmpty else { throw CompileError(.malformed, "the file is empty") }
  if let other = ForeignFormat(beginning: bytes) {
    throw CompileError(.malformed, "the file is \(other.rawValue), not an ONNX model")
  }
  let proto = try unpack(try WireScanner.skeleton(of: bytes))
  defer { onnx__model_proto__free_unpacked(proto, nil) }
  let session = ImportSession(bytes: bytes, owner: owner, folder: folder, options: options)
  let model = try ModelImporter(session: session).model(proto)
  return ImportedModel(
    model: model, warnings: session.warnings,
    sourceFiles: session.externalData?.identities ?? [])
}

private func unpack(_ skeleton: Skeleton) throws(CompileError) -> Message<Onnx__ModelProto> {
  let proto = skeleton.bytes.withUnsafeBufferPointer {
    onnx__model_proto__unpack(nil, $0.count, $0.baseAddress)
  }
  guard let proto else {
    throw CompileError(.malformed, "the file is not a serialized ONNX model")
  }
  return proto
}

/// Reads a `ModelProto`.
private struct ModelImporter {
  /// The versions of the file format that prunec knows; the schema is that of the last one.
  static let supportedIRVersions = 3...14

  let session: ImportSession

  func model(_ proto: Message<Onnx__ModelProto>) throws(CompileError) -> Model {
    let irVersion = try irVersion(of: proto.pointee)
    guard let graphProto = proto.pointee.graph else {
      throw CompileError(.malformed, "the model has no graph")
    }
    guard proto.pointee.n_opset_import > 0 else {
      throw CompileError(
        .malformed, "the model does not say which version of the operators it uses")
    }
    let opsetImports = try OpsetImporter.imports(
      messages(proto.pointee.opset_import, proto.pointee.n_opset_import))
    var importer = GraphImporter(graphProto, opsetImports: opsetImports, in: session)
    var model = Model(irVersion: irVersion, graph: try importer.mainGraph())
    model.functions = try FunctionImporter(session: session).functions(
      messages(proto.pointee.functions, proto.pointee.n_functions))
    try checkDomains(of: model)

    model.producerName = text(proto.pointee.producer_name)
    model.producerVersion = text(proto.pointee.producer_version)
    model.domain = text(proto.pointee.domain)
    if proto.pointee.has_model_version != 0 {
      model.modelVersion = Int(proto.pointee.model_version)
    }
    model.annotations = Annotations(
      of: proto, docString: proto.pointee.doc_string, metadata: proto.pointee.metadata_props,
      metadataCount: proto.pointee.n_metadata_props)
    model.trainingInfo = messages(proto.pointee.training_info, proto.pointee.n_training_info)
      .map { serialized($0) }
    model.deviceConfigurations = messages(
      proto.pointee.configuration, proto.pointee.n_configuration
    ).map { serialized($0) }
    return model
  }

  private func irVersion(of proto: Onnx__ModelProto) throws(CompileError) -> Int {
    guard proto.has_ir_version != 0 else {
      throw CompileError(
        .malformed, "the file is not an ONNX model: it does not say which version of the format")
    }
    let version = Int(proto.ir_version)
    guard Self.supportedIRVersions.contains(version) else {
      throw CompileError(
        .malformed,
        "the file has version \(version) of the ONNX format; versions "
          + "\(Self.supportedIRVersions.lowerBound) to \(Self.supportedIRVersions.upperBound) "
          + "are supported")
    }
    return version
  }

  /// Operators of the standard set need a version to have a meaning; those of other sets are
  /// carried in any case.
  private func checkDomains(of model: Model) throws(CompileError) {
    let local = Set(model.functions.map(\.name))
    var unimported: Set<String> = []
    func check(_ graph: Graph) throws(CompileError) {
      for id in graph.nodes {
        let operation = graph[id].operation
        if !local.contains(operation), graph.opsetVersion(of: operation.domain) == nil {
          guard !operation.domain.isEmpty else {
            throw CompileError(
              .malformed, "no version of ONNX's operators is imported", at: graph.location(of: id))
          }
          if unimported.insert(operation.domain).inserted {
            session.warn(
              "operator set '\(operation.domain)' is not imported", at: graph.location(of: id))
          }
        }
        for attribute in graph[id].attributes {
          for subgraph in attribute.graphs { try check(subgraph) }
        }
      }
    }
    try check(model.graph)
    for function in model.functions { try check(function.body) }
  }
}
