import CPrunecONNX
import CPrunecProtobufC
import PrunecGraphIR
import PrunecTensors

/// Writes `model` to the file at `path`, and large weights to one beside it where `options` or the
/// model ask for it. Both replace what was there as one. The same model gives the same bytes.
/// Returns how many bytes have been written, those of external data included.
///
/// Throws as `StagedModel` does.
@discardableResult
public func exportModel(
  _ model: Model, to path: String, options: ExportOptions = ExportOptions()
) throws(CompileError) -> Int {
  let staged = try StagedModel(model, for: path, options: options)
  try staged.commit()
  return staged.byteCount
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
