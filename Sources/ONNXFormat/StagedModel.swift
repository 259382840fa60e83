import CPrunecONNX
import CPrunecProtobufC
import Glibc
import PrunecFiles
import PrunecGraphIR
import PrunecTensors

/// A model that has been written whole, with its external data, under no name as yet.
package final class StagedModel {
  /// Size of all that has been written, in bytes.
  package let byteCount: Int
  private let file: OutputFile
  private let data: (file: OutputFile, path: String)?

  /// Writes `model` for the file at `path`.
  ///
  /// Throws `.usage` where the file is one the model was read from, unless `options.inPlace`, where a
  /// model of 2 GiB is to go into one file or external data to what is no file, and for tensors without data;
  /// `.malformed` for a signature that a file cannot express; `.inputOutput` where a file cannot be written.
  package init(
    _ model: Model, for path: String, options: ExportOptions = ExportOptions()
  ) throws(CompileError) {
    try Self.checkOverwriting(path, options)
    let file = try OutputFile(path: path)
    self.file = file
    var options = options
    if file.isDirect {
      if case .always = options.externalData {
        throw CompileError(
          .usage, "external data needs a file beside the model's; '\(path)' is none")
      }
      options.externalData = .never
    }
    let arena = MessageArena()
    let (proto, plan) = try withExtendedLifetime(model) { () throws(CompileError) in
      try Self.message(for: model, modelName: fileName(of: file.path), options, arena)
    }
    // Messages point into the model's tensors.
    defer { withExtendedLifetime(model) {} }
    var data: (file: OutputFile, path: String)?
    if let plan, !plan.entries.isEmpty {
      let folder = folder(of: file.path)
      // Any name of the folder will do as long as the file has none.
      let dataFile = try OutputFile(path: "\(folder)/\(String(cString: plan.location))")
      for entry in plan.entries {
        dataFile.pad(to: entry.offset)
        entry.tensor.forEachPiece(dataFile.append)
      }
      try dataFile.finish()
      data = (dataFile, "\(folder)/\(plan.name(after: dataFile.fingerprint))")
      try Self.checkOverwriting(data!.path, options)
    }
    MessagePacker(arena).pack(proto, file.append)
    try file.finish()
    self.data = data
    byteCount = file.byteCount + (data?.file.byteCount ?? 0)
  }

  /// Gives the model its name, in place of what may have had it.
  ///
  /// The data comes first, under a name that nothing refers to yet, and what the model before it was made of goes last: at any time there
  /// is a model with its own data. Throws `.inputOutput` where a name cannot be given.
  package func commit() throws(CompileError) {
    guard !file.isDirect else { return }
    // Another process's model may be about to refer to what this one's has left behind.
    let lock = FolderLock(folderOf: file.path)
    let superseded = lock == nil ? nil : SupersededData(ofModelAt: file.path)
    // Ended between the names, the process would leave data that no model refers to.
    try Interruption.postponing { () throws(CompileError) in
      try nameFiles()
      superseded?.remove()
    }
    withExtendedLifetime(lock) {}
  }

  private func nameFiles() throws(CompileError) {
    let addsData = data.map { FileIdentity(path: $0.path) == nil } ?? false
    try data?.file.commit(as: data?.path)
    do throws(CompileError) {
      try file.commit()
    } catch {
      if let data, addsData { unlink(data.path) }
      throw error
    }
  }

  private static func checkOverwriting(
    _ path: String, _ options: ExportOptions
  ) throws(CompileError) {
    guard !options.inPlace, let identity = FileIdentity(path: path),
      options.sourceFiles.contains(identity)
    else { return }
    throw CompileError(.usage, "'\(path)' is a file that the model was read from")
  }

  /// The largest message that protobuf's readers take.
  private static let maximumMessageSize = Int(Int32.max)

  private static func message(
    for model: Model, modelName: String, _ options: ExportOptions, _ arena: MessageArena
  ) throws(CompileError) -> (Message<Onnx__ModelProto>, ExternalDataPlan?) {
    func externalized() throws(CompileError) -> (Message<Onnx__ModelProto>, ExternalDataPlan?) {
      let plan = ExternalDataPlan(modelName: modelName, arena: arena)
      return (try ModelExporter(arena: arena, plan: plan).model(model), plan)
    }
    switch options.externalData {
    case .always: return try externalized()
    case .automatic where hasExternalData(model.graph): return try externalized()
    case .automatic, .never: break
    }
    let proto = try ModelExporter(arena: arena, plan: nil).model(model)
    let size = withBase(proto) { protobuf_c_message_get_packed_size($0) }
    if size <= maximumMessageSize { return (proto, nil) }
    if case .automatic = options.externalData { return try externalized() }
    throw CompileError(
      .usage, "the model takes \(size) bytes, more than the 2 GiB that protobuf allows in one file",
      notes: ["its weights can go into a file of their own"])
  }

  private static func hasExternalData(_ graph: Graph) -> Bool {
    graph.initializers.contains { graph[$0].externalLocation != nil }
  }
}
