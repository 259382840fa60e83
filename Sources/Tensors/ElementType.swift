/// The type of a tensor's elements, with the raw values of ONNX's `TensorProto.DataType`.
public enum ElementType: Int32, Sendable, Hashable, CaseIterable {
  case float32 = 1
  case uint8 = 2
  case int8 = 3
  case uint16 = 4
  case int16 = 5
  case int32 = 6
  case int64 = 7
  case string = 8
  case bool = 9
  case float16 = 10
  case float64 = 11
  case uint32 = 12
  case uint64 = 13
  case complex64 = 14
  case complex128 = 15
  case bfloat16 = 16
  case float8E4M3FN = 17
  case float8E4M3FNUZ = 18
  case float8E5M2 = 19
  case float8E5M2FNUZ = 20
  case uint4 = 21
  case int4 = 22
  case float4E2M1 = 23
  case float8E8M0 = 24
  case uint2 = 25
  case int2 = 26
  case float6E2M3 = 27
  case float6E3M2 = 28

  /// Width of one element in bits; 0 for strings, whose elements differ in length.
  public var bitWidth: Int {
    switch self {
    case .string: 0
    case .uint2, .int2: 2
    case .uint4, .int4, .float4E2M1: 4
    case .float6E2M3, .float6E3M2: 6
    case .uint8, .int8, .bool, .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ,
      .float8E8M0:
      8
    case .uint16, .int16, .float16, .bfloat16: 16
    case .float32, .int32, .uint32: 32
    case .int64, .uint64, .float64, .complex64: 64
    case .complex128: 128
    }
  }

  /// Whether an element occupies a whole number of bytes of its own, so that slices are byte ranges.
  public var isByteAligned: Bool { bitWidth > 0 && bitWidth % 8 == 0 }

  /// Bytes that `count` packed elements occupy (`nil` when the number does not fit, and for strings).
  /// Sub-byte types are packed from the least significant bits, as in `TensorProto.raw_data`.
  public func byteCount(of count: Int) -> Int? {
    guard self != .string else { return nil }
    let (bits, overflow) = count.multipliedReportingOverflow(by: bitWidth)
    guard !overflow, bits <= Int.max - 7 else { return nil }
    return (bits + 7) / 8
  }

  /// Whether the type is one of the IEEE or bfloat floating point types that arithmetic is defined on.
  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .float16, .float64, .bfloat16: true
    default: false
    }
  }

  /// Whether the type is a whole-byte signed or unsigned integer.
  public var isInteger: Bool {
    switch self {
    case .uint8, .int8, .uint16, .int16, .int32, .int64, .uint32, .uint64: true
    default: false
    }
  }

  /// Whether the type is one of the integers of at most 16 bits that mostly stand for other numbers.
  public var isNarrowInteger: Bool {
    switch self {
    case .uint2, .int2, .uint4, .int4, .uint8, .int8, .uint16, .int16: true
    default: false
    }
  }

  /// Whether the type is one of the floating point types of eight bits or less that stand for other
  /// numbers, or are what weights are stored in.
  public var isNarrowFloat: Bool { NarrowFloat(self) != nil }

  /// The type's name in ONNX's textual syntax, such as `float` or `int64`.
  public var name: String {
    switch self {
    case .float32: "float"
    case .uint8: "uint8"
    case .int8: "int8"
    case .uint16: "uint16"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .string: "string"
    case .bool: "bool"
    case .float16: "float16"
    case .float64: "double"
    case .uint32: "uint32"
    case .uint64: "uint64"
    case .complex64: "complex64"
    case .complex128: "complex128"
    case .bfloat16: "bfloat16"
    case .float8E4M3FN: "float8e4m3fn"
    case .float8E4M3FNUZ: "float8e4m3fnuz"
    case .float8E5M2: "float8e5m2"
    case .float8E5M2FNUZ: "float8e5m2fnuz"
    case .uint4: "uint4"
    case .int4: "int4"
    case .float4E2M1: "float4e2m1"
    case .float8E8M0: "float8e8m0"
    case .uint2: "uint2"
    case .int2: "int2"
    case .float6E2M3: "float6e2m3"
    case .float6E3M2: "float6e3m2"
    }
  }

  /// The type of a given textual name.
  public init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}
