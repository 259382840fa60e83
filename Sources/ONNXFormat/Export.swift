import CPrunecONNX
import CPrunecProtobufC
import Glibc
import PrunecGraphIR
import PrunecTensors

/// Writes `model` to the file at `path`, and large weights to one beside it where `options` or the
/// model ask for it. Either file appears whole or not at all. The same model gives the same bytes.
/// Returns how many bytes have been written, those of external data included.
///
/// Throws `.usage` where the file is one the model was read from, unless `options.inPlace`, where a
/// model of 2 GiB is to go into one file, and for tensors without data; `.malformed` for a signature
/// that a file cannot express; `.inputOutput` where a file cannot be written.
@discardableResult
public func exportModel(
  _ model: Model, to path: String, options: ExportOptions = ExportOptions()
) throws(CompileError) -> Int {
  // A symbolic link stays one; what it leads to is replaced.
  let path = resolvingLinks(path)
  try checkOverwriting(path, options)
  return try withExtendedLifetime(model) { () throws(CompileError) -> Int in
    let dataPath = path + ".data"
    let arena = MessageArena()
    let (proto, plan) = try message(for: model, dataPath: dataPath, options, arena)
    guard let plan, !plan.entries.isEmpty else {
      return try write(proto, arena, to: path)
    }
    try checkOverwriting(dataPath, options)
    return try write(proto, arena, to: path, with: plan, to: dataPath)
  }
}

/// The model as the bytes of a file, weights included.
///
/// Throws `.usage` for tensors without data and `.malformed` for a signature that a file cannot
/// express.
public func serialize(_ model: Model) throws(CompileError) -> [UInt8] {
  try withExtendedLifetime(model) { () throws(CompileError) in
    let arena = MessageArena()
    let proto = try ModelExporter(arena: arena, plan: nil).model(model)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(withBase(proto) { protobuf_c_message_get_packed_size($0) })
    MessagePacker(arena).pack(proto) { bytes.append(contentsOf: $0) }
    return bytes
  }
}

/// The largest message that protobuf's readers take.
private let maximumMessageSize = Int(Int32.max)

private func message(
  for model: Model, dataPath: String, _ options: ExportOptions, _ arena: MessageArena
) throws(CompileError) -> (Message<Onnx__ModelProto>, ExternalDataPlan?) {
  func externalized() throws(CompileError) -> (Message<Onnx__ModelProto>, ExternalDataPlan?) {
    let name = dataPath.split(separator: "/").last.map(String.init) ?? dataPath
    let plan = ExternalDataPlan(location: name)
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

private func hasExternalData(_ graph: Graph) -> Bool {
  graph.initializers.contains { graph[$0].externalLocation != nil }
}

func resolvingLinks(_ path: String) -> String {
  var status = stat()
  guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK,
    let resolved = realpath(path, nil)
  else { return path }
  defer { free(resolved) }
  return String(cString: resolved)
}

private func checkOverwriting(_ path: String, _ options: ExportOptions) throws(CompileError) {
  guard !options.inPlace, let identity = FileIdentity(path: path),
    options.sourceFiles.contains(identity)
  else { return }
  throw CompileError(.usage, "'\(path)' is a file that the model was read from")
}

private func write(
  _ proto: Message<Onnx__ModelProto>, _ arena: MessageArena, to path: String
) throws(CompileError) -> Int {
  let file = try OutputFile(path: path)
  MessagePacker(arena).pack(proto, file.append)
  try file.finish()
  try file.commit()
  OutputFile.synchronizeFolder(of: path)
  return file.byteCount
}

/// Both files are complete before either gets its name; the data comes first, since a model without
/// its data is of no use to anybody.
private func write(
  _ proto: Message<Onnx__ModelProto>, _ arena: MessageArena, to path: String,
  with plan: ExternalDataPlan, to dataPath: String
) throws(CompileError) -> Int {
  let file = try OutputFile(path: path)
  let dataFile = try OutputFile(path: dataPath)
  for entry in plan.entries {
    dataFile.pad(to: entry.offset)
    entry.tensor.forEachPiece(dataFile.append)
  }
  try dataFile.finish()
  MessagePacker(arena).pack(proto, file.append)
  try file.finish()

  let replacesData = FileIdentity(path: dataPath) != nil
  try dataFile.commit()
  do throws(CompileError) {
    try file.commit()
  } catch {
    if !replacesData { unlink(dataPath) }
    throw error
  }
  OutputFile.synchronizeFolder(of: path)
  return file.byteCount + dataFile.byteCount
}
