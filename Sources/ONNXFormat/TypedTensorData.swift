import CPrunecONNX
import PrunecGraphIR
import PrunecTensors

/// The elements of a tensor that are in the typed fields of its `TensorProto`.
struct TypedTensorData {
  /// The fields, by their names in the schema.
  enum Field: String, CaseIterable {
    case float = "float_data"
    case int32 = "int32_data"
    case string = "string_data"
    case int64 = "int64_data"
    case double = "double_data"
    case uint64 = "uint64_data"

    func count(in proto: Onnx__TensorProto) -> Int {
      switch self {
      case .float: proto.n_float_data
      case .int32: proto.n_int32_data
      case .string: proto.n_string_data
      case .int64: proto.n_int64_data
      case .double: proto.n_double_data
      case .uint64: proto.n_uint64_data
      }
    }

    /// The field that ONNX keeps elements of `type` in.
    init(for type: ElementType) {
      switch type {
      case .float32, .complex64: self = .float
      case .float64, .complex128: self = .double
      case .int64: self = .int64
      case .uint32, .uint64: self = .uint64
      case .string: self = .string
      case .int32, .int16, .uint16, .int8, .uint8, .bool, .float16, .bfloat16, .float8E4M3FN,
        .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float8E8M0, .uint4, .int4, .float4E2M1,
        .uint2, .int2, .float6E2M3, .float6E3M2:
        self = .int32
      }
    }
  }

  let proto: Message<Onnx__TensorProto>
  let type: ElementType
  /// Extents whose product has been checked.
  let shape: [Int]
  let location: Location

  /// The tensor.
  ///
  /// Throws `.malformed` where the data is in another field or not as much as the shape says.
  func tensor() throws(CompileError) -> Tensor {
    let field = Field(for: type)
    for other in Field.allCases where other != field && other.count(in: proto.pointee) > 0 {
      throw CompileError(
        .malformed, "a tensor of \(type.name) cannot have its data in \(other.rawValue)",
        at: location)
    }
    guard let count = shape.checkedElementCount, let expected = entryCount(for: count) else {
      throw CompileError(.malformed, "the size of shape \(shape) does not fit", at: location)
    }
    let found = field.count(in: proto.pointee)
    guard found == expected else {
      throw CompileError(
        .malformed,
        found == 0
          ? "the tensor of shape \(shape) has no data"
          : "\(field.rawValue) has \(found) entries, but \(type.name)\(shape) takes \(expected)",
        at: location)
    }
    return tensor(from: field, count: found)
  }

  /// How many entries of its field a tensor of `count` elements takes.
  private func entryCount(for count: Int) -> Int? {
    switch type {
    case .complex64, .complex128:
      let (doubled, overflow) = count.multipliedReportingOverflow(by: 2)
      return overflow ? nil : doubled
    case .uint4, .int4, .float4E2M1, .uint2, .int2:
      return type.byteCount(of: count)
    default:
      return count
    }
  }

  private func tensor(from field: Field, count: Int) -> Tensor {
    switch field {
    case .float: return copying(numbers(proto.pointee.float_data, count))
    case .double: return copying(numbers(proto.pointee.double_data, count))
    case .int64: return copying(numbers(proto.pointee.int64_data, count))
    case .uint64:
      let entries = numbers(proto.pointee.uint64_data, count)
      return type == .uint64 ? copying(entries) : narrowing(entries, to: UInt32.self)
    case .string:
      return Tensor(strings: numbers(proto.pointee.string_data, count).map(byteArray), shape: shape)
    case .int32:
      let entries = numbers(proto.pointee.int32_data, count)
      switch type.bitWidth {
      case 32: return copying(entries)
      case 16: return narrowing(entries, to: UInt16.self)
      case 6: return packingSixBits(entries)
      default: return narrowing(entries, to: UInt8.self)
      }
    }
  }

  private func copying<Entry>(_ entries: UnsafeBufferPointer<Entry>) -> Tensor {
    let source = UnsafeRawBufferPointer(entries)
    return Tensor(
      type, shape: shape,
      storage: TensorStorage(byteCount: source.count) { $0.copyMemory(from: source) })
  }

  /// Keeps the low bits of each entry, as ONNX's own readers do.
  private func narrowing<Entry: BinaryInteger, Element: FixedWidthInteger>(
    _ entries: UnsafeBufferPointer<Entry>, to: Element.Type
  ) -> Tensor {
    let storage = TensorStorage(byteCount: entries.count * MemoryLayout<Element>.size) { target in
      let elements = target.bindMemory(to: Element.self)
      for (index, entry) in entries.enumerated() {
        elements[index] = Element(truncatingIfNeeded: entry)
      }
    }
    return Tensor(type, shape: shape, storage: storage)
  }

  /// Each entry is one element of six bits; the tensor's storage packs four into three bytes.
  private func packingSixBits(_ entries: UnsafeBufferPointer<Int32>) -> Tensor {
    let byteCount = (entries.count * 6 + 7) / 8
    let storage = TensorStorage(byteCount: byteCount) { target in
      for index in target.indices { target[index] = 0 }
      for (index, entry) in entries.enumerated() {
        let bits = UInt16(truncatingIfNeeded: entry) & 0x3F
        let shifted = bits << UInt16(index * 6 % 8)
        target[index * 6 / 8] |= UInt8(truncatingIfNeeded: shifted)
        if shifted > 0xFF { target[index * 6 / 8 + 1] |= UInt8(shifted >> 8) }
      }
    }
    return Tensor(type, shape: shape, storage: storage)
  }
}
