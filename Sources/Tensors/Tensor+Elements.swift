extension Tensor {
  /// A float32 tensor of the given elements.
  public init(_ elements: [Float], shape: [Int]) {
    self.init(.float32, shape: shape, elements: elements)
  }

  /// An int64 tensor of the given elements; a vector unless `shape` says otherwise.
  public init(_ elements: [Int], shape: [Int]? = nil) {
    self.init(.int64, shape: shape ?? [elements.count], elements: elements.map(Int64.init))
  }

  /// A tensor whose storage holds `elements` as they are in memory.
  public init<Element: BitwiseCopyable>(
    _ elementType: ElementType, shape: [Int], elements: [Element]
  ) {
    precondition(MemoryLayout<Element>.stride * 8 == elementType.bitWidth)
    precondition(elements.count == shape.elementCount)
    let storage = elements.withUnsafeBytes { source in
      TensorStorage(byteCount: source.count) { $0.copyMemory(from: source) }
    }
    self.init(elementType, shape: shape, storage: storage)
  }

  /// Calls `body` with the elements as `Element`, whose width must be that of the element type.
  /// Bytes of a mapped file may be misaligned; those are copied first.
  @inlinable
  public func withElements<Element: BitwiseCopyable, R, E: Error>(
    as type: Element.Type, _ body: (UnsafeBufferPointer<Element>) throws(E) -> R
  ) throws(E) -> R {
    precondition(MemoryLayout<Element>.stride * 8 == elementType.bitWidth)
    return try withUnsafeBytes { (bytes) throws(E) -> R in
      let alignment = MemoryLayout<Element>.alignment
      guard let base = bytes.baseAddress, Int(bitPattern: base) % alignment != 0 else {
        return try body(bytes.assumingMemoryBound(to: Element.self))
      }
      let aligned = UnsafeMutableRawBufferPointer.allocate(
        byteCount: bytes.count, alignment: alignment)
      defer { aligned.deallocate() }
      aligned.copyMemory(from: bytes)
      return try body(UnsafeRawBufferPointer(aligned).assumingMemoryBound(to: Element.self))
    }
  }

  /// Calls `body` with the elements as mutable `Element`s.
  @inlinable
  public mutating func withMutableElements<Element: BitwiseCopyable, R, E: Error>(
    as type: Element.Type, _ body: (UnsafeMutableBufferPointer<Element>) throws(E) -> R
  ) throws(E) -> R {
    precondition(MemoryLayout<Element>.stride * 8 == elementType.bitWidth)
    return try withUnsafeMutableBytes { (bytes) throws(E) -> R in
      try body(bytes.assumingMemoryBound(to: Element.self))
    }
  }

  /// The elements as float32, whatever numeric type they have; empty for strings, complex types, the
  /// floating point types that have no `NarrowFloat`, and without data.
  public var floats: [Float] {
    switch elementType {
    case .float32: array(of: Float.self)
    case .float64: array(of: Double.self).map(Float.init)
    case .float16, .bfloat16:
      withUnsafeBytes { bytes in
        [Float](unsafeUninitializedCapacity: bytes.count / 2) { floats, count in
          count = bytes.count / 2
          Self.widen(
            bytes, of: elementType, into: UnsafeMutableBufferPointer(rebasing: floats[..<count]))
        }
      }
    case .int64, .int32, .int16, .int8, .uint8, .uint16, .uint32, .uint64, .bool, .uint4, .int4,
      .uint2, .int2:
      integers.map(Float.init)
    case .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float4E2M1: narrowFloats
    default: []
    }
  }

  /// The elements as `Int`, for integers and booleans; unsigned 64-bit values beyond `Int.max` are
  /// clamped. Empty for every other type, and without data.
  public var integers: [Int] {
    switch elementType {
    case .int64: array(of: Int64.self).map(Int.init)
    case .int32: array(of: Int32.self).map(Int.init)
    case .int16: array(of: Int16.self).map(Int.init)
    case .int8: array(of: Int8.self).map(Int.init)
    case .uint8: array(of: UInt8.self).map(Int.init)
    case .uint16: array(of: UInt16.self).map(Int.init)
    case .uint32: array(of: UInt32.self).map(Int.init)
    case .uint64: array(of: UInt64.self).map { Int(clamping: $0) }
    case .bool: array(of: UInt8.self).map { $0 == 0 ? 0 : 1 }
    case .uint4, .int4, .uint2, .int2: packedIntegers
    default: []
    }
  }

  /// The elements as an array of `Element`, whose width must be that of the element type.
  public func array<Element: BitwiseCopyable>(of type: Element.Type) -> [Element] {
    guard hasData else { return [] }
    return withElements(as: type) { Array($0) }
  }

  /// A tensor of `elementType` with elements nearest to `values`, for floating point types.
  public init(rounding values: [Float], to elementType: ElementType, shape: [Int]) {
    switch elementType {
    case .float32: self.init(values, shape: shape)
    case .float64: self.init(.float64, shape: shape, elements: values.map(Double.init))
    case .float16: self.init(.float16, shape: shape, elements: values.map { Float16($0) })
    case .bfloat16:
      self.init(.bfloat16, shape: shape, elements: values.map(Self.bfloat16Pattern))
    default: preconditionFailure("\(elementType) is not a floating point type")
    }
  }

  /// The upper half of the float32 pattern, rounded to nearest even; NaN stays NaN.
  private static func bfloat16Pattern(_ value: Float) -> UInt16 {
    if value.isNaN { return UInt16(value.bitPattern >> 16) | 0x40 }
    let bits = value.bitPattern
    return UInt16((UInt64(bits) + 0x7FFF + UInt64((bits >> 16) & 1)) >> 16)
  }

  /// The same elements under another shape of equal element count.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.elementCount == count)
    switch payload {
    case .bytes, .slice: return Tensor(elementType, shape: shape, storage: storage!)
    case .strings(let strings): return Tensor(strings: strings, shape: shape)
    case .absent: return Tensor(absent: elementType, shape: shape)
    }
  }
}
