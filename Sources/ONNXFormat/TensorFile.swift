import CPrunecONNX
import PrunecFiles
import PrunecGraphIR
import PrunecTensors

/// Reads the serialized `TensorProto` in the file at `path`, as ONNX's test data comes, and its name, which may be empty.
/// Its elements are borrowed from the mapped file.
///
/// Throws `.inputOutput` where the file cannot be read, and `.malformed` where it breaks the format.
public func importTensor(
  path: String
) throws(CompileError) -> (name: String, tensor: Tensor) {
  let file = try MappedFile(path: path)
  guard !file.bytes.isEmpty else { throw CompileError(.malformed, "the file is empty") }
  let skeleton = try WireScanner.skeleton(of: file.bytes, as: MessageTypes.tensor)
  let proto = skeleton.bytes.withUnsafeBufferPointer {
    onnx__tensor_proto__unpack(nil, $0.count, $0.baseAddress)
  }
  guard let proto else {
    throw CompileError(.malformed, "the file is not a serialized tensor")
  }
  defer { onnx__tensor_proto__free_unpacked(proto, nil) }
  let session = ImportSession(
    bytes: file.bytes, owner: file, folder: folder(of: path), options: ImportOptions())
  let name = text(proto.pointee.name)
  return (name, try TensorImporter(session: session).tensor(proto, name: name))
}
