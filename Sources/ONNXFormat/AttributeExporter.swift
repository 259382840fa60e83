import CPrunecONNX
import PrunecGraphIR

/// Writes `AttributeProto`s.
struct AttributeExporter {
  let arena: MessageArena
  /// Writes a nested graph.
  let writeGraph: (Graph) throws(CompileError) -> Message<Onnx__GraphProto>

  /// The message for `attribute`.
  ///
  /// Throws `.usage` for tensors without data.
  func attribute(_ attribute: Attribute) throws(CompileError) -> Message<Onnx__AttributeProto> {
    let proto = arena.message(onnx__attribute_proto__init)
    proto.pointee.name = arena.requiredText(attribute.name)
    proto.pointee.doc_string = arena.text(attribute.annotations.docString)
    let encoded = try setValue(attribute.value, of: proto)
    arena.attach(
      unknownFields: attribute.annotations.unknownFields, encoded: encoded, to: proto)
    return proto
  }

  /// Fills type and value, except for what is written as it is, which is returned.
  private func setValue(
    _ value: Attribute.Value, of proto: Message<Onnx__AttributeProto>
  ) throws(CompileError) -> [MessageArena.EncodedField] {
    func setType(_ type: Onnx__AttributeProto__AttributeType) {
      proto.pointee.has_type = 1
      proto.pointee.type = type
    }
    let tensors = TensorExporter(arena: arena)
    let types = TypeExporter(arena: arena)
    switch value {
    case .float(let value):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT)
      proto.pointee.has_f = 1
      proto.pointee.f = value
    case .int(let value):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT)
      proto.pointee.has_i = 1
      proto.pointee.i = value
    case .string(let value):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING)
      proto.pointee.has_s = 1
      proto.pointee.s = arena.bytes(value)
    case .floats(let values):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS)
      proto.pointee.n_floats = values.count
      proto.pointee.floats = arena.array(values)
    case .ints(let values):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS)
      proto.pointee.n_ints = values.count
      proto.pointee.ints = arena.array(values)
    case .strings(let values):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS)
      proto.pointee.n_strings = values.count
      proto.pointee.strings = arena.array(values.map { arena.bytes($0) })
    case .tensor(let value):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR)
      proto.pointee.t = try tensors.tensor(
        value.tensor, name: value.name, annotations: value.annotations)
    case .tensors(let values):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS)
      var protos: [Message<Onnx__TensorProto>] = []
      for value in values {
        protos.append(
          try tensors.tensor(value.tensor, name: value.name, annotations: value.annotations))
      }
      proto.pointee.n_tensors = protos.count
      proto.pointee.tensors = arena.pointers(protos)
    case .graph(let graph):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)
      proto.pointee.g = try writeGraph(graph)
    case .graphs(let graphs):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS)
      var protos: [Message<Onnx__GraphProto>] = []
      for graph in graphs { protos.append(try writeGraph(graph)) }
      proto.pointee.n_graphs = protos.count
      proto.pointee.graphs = arena.pointers(protos)
    case .sparseTensor(let bytes):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR)
      return [.init(number: 22, message: bytes)]
    case .sparseTensors(let values):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS)
      return values.map { .init(number: 23, message: $0) }
    case .type(let type):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO)
      return [.init(number: 14, message: types.encoded(type))]
    case .types(let values):
      setType(ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS)
      return values.map { .init(number: 15, message: types.encoded($0)) }
    case .reference(let name, let type):
      setType(Onnx__AttributeProto__AttributeType(UInt32(bitPattern: type)))
      proto.pointee.ref_attr_name = arena.requiredText(name)
    }
    return []
  }
}
