import PrunecTensors

/// The tensor that elided data (`{...}`) stands for: a function of type, shape and name alone.
///
/// Of a floating point or complex type, element (or part) k is the k-th number of a SplitMix64 whose
/// seed is the 64-bit FNV-1a hash of the name's UTF-8: its topmost p bits as a fraction, minus
/// 1/2, p being the precision of the type. That is uniform in [-0.5, 0.5), and exact. Of any other
/// type, element k is k modulo the number of values that are not negative (booleans 0, 1, 0, 1, ...;
/// strings "0", "1", ...; for floats of at most 8 bits, patterns of the lower quarter).
///
/// - Precondition: the shape's element count and its bytes fit into memory.
package func seededTensor(_ type: ElementType, shape: [Int], name: String) -> Tensor {
  let count = shape.elementCount
  var generator = SplitMix64(seed: hash(name))

  func fractions<Number: BinaryFloatingPoint>(_ count: Int, as _: Number.Type) -> [Number] {
    let precision = Number.significandBitCount + 1
    let unit = Number(sign: .plus, exponent: -Number.Exponent(precision), significand: 1)
    return (0..<count).map { _ in
      Number(generator.next() >> UInt64(64 - precision)) * unit - 0.5
    }
  }
  func counting<Number: FixedWidthInteger & BitwiseCopyable>(as _: Number.Type) -> Tensor {
    let mask = UInt64(Number.max)
    return Tensor(
      type, shape: shape,
      elements: (0..<count).map { Number(truncatingIfNeeded: UInt64($0) & mask) })
  }

  switch type {
  case .float32: return Tensor(fractions(count, as: Float.self), shape: shape)
  case .float64: return Tensor(type, shape: shape, elements: fractions(count, as: Double.self))
  case .float16: return Tensor(type, shape: shape, elements: fractions(count, as: Float16.self))
  case .bfloat16:
    // Eight bits of precision, as a float32 that is exact in them.
    let values = (0..<count).map { _ in Float(generator.next() >> 56) / 256 - 0.5 }
    return Tensor(rounding: values, to: type, shape: shape)
  case .complex64: return wrapped(fractions(2 * count, as: Float.self), type, shape)
  case .complex128: return wrapped(fractions(2 * count, as: Double.self), type, shape)
  case .int8: return counting(as: Int8.self)
  case .int16: return counting(as: Int16.self)
  case .int32: return counting(as: Int32.self)
  case .int64: return counting(as: Int64.self)
  case .uint8: return counting(as: UInt8.self)
  case .uint16: return counting(as: UInt16.self)
  case .uint32: return counting(as: UInt32.self)
  case .uint64: return counting(as: UInt64.self)
  case .bool: return Tensor(type, shape: shape, elements: (0..<count).map { UInt8($0 & 1) })
  case .string: return Tensor(strings: (0..<count).map { Array(String($0).utf8) }, shape: shape)
  case .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float8E8M0:
    return Tensor(type, shape: shape, elements: (0..<count).map { UInt8($0 & 63) })
  case .uint2, .uint4:
    return packed(type, shape: shape, patterns: (0..<count).lazy.map { UInt8($0 & 255) })
  case .int2, .int4:
    let mask = (1 << (type.bitWidth - 1)) - 1
    return packed(type, shape: shape, patterns: (0..<count).lazy.map { UInt8($0 & mask) })
  case .float4E2M1, .float6E2M3, .float6E3M2:
    let mask = (1 << (type.bitWidth - 2)) - 1
    return packed(type, shape: shape, patterns: (0..<count).lazy.map { UInt8($0 & mask) })
  }
}

private func wrapped<Part: BitwiseCopyable>(
  _ parts: [Part], _ type: ElementType, _ shape: [Int]
) -> Tensor {
  let storage = parts.withUnsafeBytes { source in
    TensorStorage(byteCount: source.count) { $0.copyMemory(from: source) }
  }
  return Tensor(type, shape: shape, storage: storage)
}

/// The 64-bit FNV-1a hash of a string's UTF-8.
private func hash(_ text: String) -> UInt64 {
  text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
