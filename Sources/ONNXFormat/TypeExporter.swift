import CPrunecONNX
import PrunecGraphIR
import PrunecTensors

/// Writes `TypeProto`s and the `ValueInfoProto`s that hold them.
struct TypeExporter {
  let arena: MessageArena

  /// The message that says what `value` is: name, type and what it carries.
  func valueInfo(
    name: String, type: ValueType?, annotations: Annotations
  ) -> Message<Onnx__ValueInfoProto> {
    let proto = arena.message(onnx__value_info_proto__init)
    proto.pointee.name = arena.requiredText(name)
    proto.pointee.doc_string = arena.text(annotations.docString)
    proto.pointee.n_metadata_props = annotations.metadata.count
    proto.pointee.metadata_props = arena.entries(annotations.metadata)
    var encoded: [MessageArena.EncodedField] = []
    if let bytes = type?.encoded {
      encoded.append(.init(number: 2, message: bytes))
    } else if let type {
      proto.pointee.type = self.type(type)
    }
    arena.attach(unknownFields: annotations.unknownFields, encoded: encoded, to: proto)
    return proto
  }

  /// The type in wire format.
  func encoded(_ type: ValueType) -> [UInt8] { type.encoded ?? serialized(self.type(type)) }

  /// The type, without regard to its `encoded`.
  private func type(_ type: ValueType) -> Message<Onnx__TypeProto> {
    let proto = arena.message(onnx__type_proto__init)
    proto.pointee.denotation = arena.text(type.denotation)
    switch type.kind {
    case .tensor(let tensor):
      let message = arena.message(onnx__type_proto__tensor__init)
      if let elementType = tensor.elementType {
        message.pointee.has_elem_type = 1
        message.pointee.elem_type = elementType.rawValue
      }
      message.pointee.shape = shape(tensor.shape)
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
      proto.pointee.tensor_type = message
    case .sparseTensor(let tensor):
      let message = arena.message(onnx__type_proto__sparse_tensor__init)
      if let elementType = tensor.elementType {
        message.pointee.has_elem_type = 1
        message.pointee.elem_type = elementType.rawValue
      }
      message.pointee.shape = shape(tensor.shape)
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE
      proto.pointee.sparse_tensor_type = message
    case .sequence(let element):
      let message = arena.message(onnx__type_proto__sequence__init)
      message.pointee.elem_type = self.type(element)
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE
      proto.pointee.sequence_type = message
    case .optional(let element):
      let message = arena.message(onnx__type_proto__optional__init)
      message.pointee.elem_type = self.type(element)
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE
      proto.pointee.optional_type = message
    case .map(let key, let value):
      let message = arena.message(onnx__type_proto__map__init)
      if let key {
        message.pointee.has_key_type = 1
        message.pointee.key_type = key.rawValue
      }
      message.pointee.value_type = self.type(value)
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_MAP_TYPE
      proto.pointee.map_type = message
    case .opaque(let domain, let name):
      let message = arena.message(onnx__type_proto__opaque__init)
      message.pointee.domain = arena.text(domain)
      message.pointee.name = arena.text(name)
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE
      proto.pointee.opaque_type = message
    case .unspecified:
      break
    }
    return proto
  }

  private func shape(_ dimensions: [Dimension]?) -> Message<Onnx__TensorShapeProto>? {
    guard let dimensions else { return nil }
    let proto = arena.message(onnx__tensor_shape_proto__init)
    proto.pointee.n_dim = dimensions.count
    proto.pointee.dim = arena.pointers(
      dimensions.map { dimension in
        let message = arena.message(onnx__tensor_shape_proto__dimension__init)
        message.pointee.denotation = arena.text(dimension.denotation)
        switch dimension.extent {
        case .fixed(let extent):
          message.pointee.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
          message.pointee.dim_value = Int64(extent)
        case .symbol(let name):
          message.pointee.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
          message.pointee.dim_param = arena.requiredText(name)
        case .unknown: break
        }
        return message
      })
    return proto
  }
}
