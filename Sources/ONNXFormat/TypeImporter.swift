import CPrunecONNX
import PrunecGraphIR
import PrunecTensors

/// Reads `TypeProto`s.
struct TypeImporter {
  private let session: ImportSession
  /// How diagnostics speak of what has the type.
  private let location: Location
  /// Whether the type read so far says all that the message does.
  private var isExact = true

  /// The type that `proto` describes. What a `ValueType` cannot express stays in its `encoded`.
  ///
  /// Throws `.malformed` for unknown element types and impossible extents.
  static func type(
    _ proto: Message<Onnx__TypeProto>, at location: Location, in session: ImportSession
  ) throws(CompileError) -> ValueType {
    var importer = TypeImporter(session: session, location: location)
    var type = try importer.type(proto)
    if !importer.isExact { type.encoded = serialized(proto) }
    return type
  }

  private init(session: ImportSession, location: Location) {
    self.session = session
    self.location = location
  }

  private mutating func note<Proto>(_ message: Message<Proto>) {
    if hasUnknownFields(message) { isExact = false }
  }

  private mutating func type(_ proto: Message<Onnx__TypeProto>) throws(CompileError) -> ValueType {
    note(proto)
    return ValueType(try kind(proto), denotation: text(proto.pointee.denotation))
  }

  private mutating func kind(
    _ proto: Message<Onnx__TypeProto>
  ) throws(CompileError) -> ValueType.Kind {
    switch proto.pointee.value_case {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
      guard let tensor = proto.pointee.tensor_type else { return .unspecified }
      note(tensor)
      return .tensor(
        try tensorType(
          elementType: tensor.pointee.elem_type, isPresent: tensor.pointee.has_elem_type != 0,
          shape: tensor.pointee.shape))
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
      guard let tensor = proto.pointee.sparse_tensor_type else { return .unspecified }
      note(tensor)
      return .sparseTensor(
        try tensorType(
          elementType: tensor.pointee.elem_type, isPresent: tensor.pointee.has_elem_type != 0,
          shape: tensor.pointee.shape))
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
      guard let sequence = proto.pointee.sequence_type else { return .unspecified }
      note(sequence)
      return .sequence(try element(sequence.pointee.elem_type))
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
      guard let optional = proto.pointee.optional_type else { return .unspecified }
      note(optional)
      return .optional(try element(optional.pointee.elem_type))
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
      guard let map = proto.pointee.map_type else { return .unspecified }
      note(map)
      let key = try elementType(map.pointee.key_type, isPresent: map.pointee.has_key_type != 0)
      return .map(key: key, value: try element(map.pointee.value_type))
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
      guard let opaque = proto.pointee.opaque_type else { return .unspecified }
      note(opaque)
      return .opaque(domain: text(opaque.pointee.domain), name: text(opaque.pointee.name))
    default:
      return .unspecified
    }
  }

  private mutating func element(
    _ proto: Message<Onnx__TypeProto>?
  ) throws(CompileError) -> ValueType {
    guard let proto else {
      isExact = false
      return ValueType(.unspecified)
    }
    return try type(proto)
  }

  private mutating func elementType(
    _ number: Int32, isPresent: Bool
  ) throws(CompileError) -> ElementType? {
    guard isPresent else { return nil }
    if number == 0 {
      isExact = false
      return nil
    }
    guard let type = ElementType(rawValue: number) else {
      throw CompileError(.malformed, "unknown element type \(number)", at: location)
    }
    return type
  }

  private mutating func tensorType(
    elementType number: Int32, isPresent: Bool, shape: Message<Onnx__TensorShapeProto>?
  ) throws(CompileError) -> TensorType {
    let element = try elementType(number, isPresent: isPresent)
    guard let shape else { return TensorType(element, nil) }
    note(shape)
    guard shape.pointee.n_dim <= maximumRank else {
      throw CompileError(.malformed, "the type has \(shape.pointee.n_dim) axes", at: location)
    }
    var dimensions: [Dimension] = []
    for proto in messages(shape.pointee.dim, shape.pointee.n_dim) {
      dimensions.append(try dimension(proto))
    }
    let fixed = dimensions.compactMap { $0.fixedExtent }
    guard fixed.isPlausibleShape else {
      throw CompileError(
        .malformed, "the number of elements of shape \(fixed) does not fit", at: location)
    }
    return TensorType(element, dimensions)
  }

  private mutating func dimension(
    _ proto: Message<Onnx__TensorShapeProto__Dimension>
  ) throws(CompileError) -> Dimension {
    note(proto)
    let denotation = text(proto.pointee.denotation)
    switch proto.pointee.value_case {
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE:
      let extent = Int(proto.pointee.dim_value)
      if extent >= 0 { return Dimension(.fixed(extent), denotation: denotation) }
      // Some exporters write -1 for an extent that they do not know.
      guard extent == -1 else {
        throw CompileError(.malformed, "the type has the negative extent \(extent)", at: location)
      }
      isExact = false
      return Dimension(.unknown, denotation: denotation)
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM:
      let symbol = text(proto.pointee.dim_param)
      if symbol.isEmpty {
        isExact = false
        return Dimension(.unknown, denotation: denotation)
      }
      return Dimension(.symbol(symbol), denotation: denotation)
    default:
      return Dimension(.unknown, denotation: denotation)
    }
  }
}

/// More axes than any tensor has; a limit so that work per axis stays small.
let maximumRank = 256

extension [Int] {
  /// Whether no extent is negative and the product of those that are not zero fits: then so does
  /// every stride and every partial product.
  var isPlausibleShape: Bool {
    map { $0 == 0 ? 1 : $0 }.checkedElementCount != nil
  }
}
