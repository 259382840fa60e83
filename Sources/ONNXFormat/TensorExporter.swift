import CPrunecONNX
import CPrunecProtobufC
import PrunecGraphIR
import PrunecTensors

/// Writes `TensorProto`s. Elements stay where they are; the message only stands for them.
struct TensorExporter {
  let arena: MessageArena

  /// The message for `tensor`. Where `plan` is given and takes the tensor, its elements go into the
  /// external data file.
  ///
  /// Throws `.usage` for a tensor without data.
  func tensor(
    _ tensor: Tensor, name: String, annotations: Annotations, plan: ExternalDataPlan? = nil
  ) throws(CompileError) -> Message<Onnx__TensorProto> {
    let proto = arena.message(onnx__tensor_proto__init)
    proto.pointee.name = arena.text(name)
    proto.pointee.doc_string = arena.text(annotations.docString)
    proto.pointee.n_metadata_props = annotations.metadata.count
    proto.pointee.metadata_props = arena.entries(annotations.metadata)
    proto.pointee.has_data_type = 1
    proto.pointee.data_type = tensor.elementType.rawValue
    proto.pointee.n_dims = tensor.rank
    proto.pointee.dims = arena.array(tensor.shape.map(Int64.init))
    arena.attach(unknownFields: annotations.unknownFields, to: proto)

    if let strings = tensor.strings {
      proto.pointee.n_string_data = strings.count
      proto.pointee.string_data = arena.array(strings.map { arena.bytes($0) })
    } else if tensor.hasData {
      if let plan, let offset = plan.offset(for: tensor) {
        let entries = [
          arena.entry("location", plan.location), arena.entry("offset", "\(offset)"),
          arena.entry("length", "\(tensor.byteCount)"),
        ]
        proto.pointee.has_data_location = 1
        proto.pointee.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL
        proto.pointee.n_external_data = entries.count
        proto.pointee.external_data = arena.pointers(entries)
      } else {
        proto.pointee.has_raw_data = 1
        proto.pointee.raw_data = arena.elements(of: tensor)
      }
    } else {
      throw CompileError(
        .usage, "the tensor's elements are not at hand, so it cannot be written", at: .value(name))
    }
    return proto
  }
}
