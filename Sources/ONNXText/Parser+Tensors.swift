import PrunecGraphIR
import PrunecTensors

extension Parser {
  /// How much elided data a text may ask for: a short text must not fill the memory.
  private static let elidedByteLimit = 1 << 28

  /// The elements of a tensor of the given type: `{1, 2}`, `{...}`, the place of external data
  /// (`["location" : "weights.bin"]`), or nothing for a tensor without data.
  mutating func parseTensorData(
    _ type: TensorType, name: String, typePlace: Token
  ) throws(CompileError) -> (Tensor, externalLocation: String?) {
    guard let elementType = type.elementType, let shape = type.fixedShape else {
      throw failure("data needs an element type and a shape of numbers", at: typePlace)
    }
    guard let count = shape.checkedElementCount,
      elementType == .string || elementType.byteCount(of: count) != nil
    else {
      throw failure("a tensor of this shape is too large", at: typePlace)
    }
    if isAt("[") {
      let entries = try parseEntries()
      let location = entries.first { $0.key == "location" }?.value
      return (Tensor(absent: elementType, shape: shape), location)
    }
    let place = token
    guard try take("{") else { return (Tensor(absent: elementType, shape: shape), nil) }
    let tensor: Tensor
    if token.kind == .ellipsis {
      try advance()
      try reserveElided(elementType, count: count, at: place)
      tensor = seededTensor(elementType, shape: shape, name: name)
    } else {
      tensor = try parseElements(elementType, shape: shape, count: count, at: place)
    }
    try expect("}", "after the elements")
    return (tensor, nil)
  }

  private mutating func reserveElided(
    _ type: ElementType, count: Int, at place: Token
  ) throws(CompileError) {
    // A string costs an array of its own.
    let size = type == .string ? 32 : (type.bitWidth + 7) / 8
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow, byteCount <= Self.elidedByteLimit - elidedByteCount else {
      throw failure("elided data of more than \(Self.elidedByteLimit) bytes", at: place)
    }
    elidedByteCount += byteCount
  }

  private mutating func parseElements(
    _ type: ElementType, shape: [Int], count: Int, at place: Token
  ) throws(CompileError) -> Tensor {
    switch type {
    case .float32:
      return try tensor(type, shape, count, place) { (parser) throws(CompileError) in
        try parser.expectNumber(as: Float.self)
      }
    case .float64:
      return try tensor(type, shape, count, place) { (parser) throws(CompileError) in
        try parser.expectNumber(as: Double.self)
      }
    case .int8: return try integers(type, shape, count, place, Int8.self)
    case .int16: return try integers(type, shape, count, place, Int16.self)
    case .int32: return try integers(type, shape, count, place, Int32.self)
    case .int64: return try integers(type, shape, count, place, Int64.self)
    case .uint8, .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float8E8M0:
      return try integers(type, shape, count, place, UInt8.self)
    case .uint16: return try integers(type, shape, count, place, UInt16.self)
    case .uint32: return try integers(type, shape, count, place, UInt32.self)
    case .uint64: return try integers(type, shape, count, place, UInt64.self)
    case .bool:
      return try tensor(type, shape, count, place) { (parser) throws(CompileError) in
        try parser.parseBool()
      }
    case .float16:
      return try tensor(type, shape, count, place) { (parser) throws(CompileError) in
        try parser.parseHalf()
      }
    case .bfloat16:
      return try tensor(type, shape, count, place) { (parser) throws(CompileError) in
        try parser.parseBrainFloat()
      }
    case .complex64: return try complex(type, shape, count, place, Float.self)
    case .complex128: return try complex(type, shape, count, place, Double.self)
    case .string:
      let strings = try elements(count, shape, place) { (parser) throws(CompileError) in
        try parser.expectString("a string")
      }
      return Tensor(strings: strings, shape: shape)
    case .uint2, .int2, .uint4, .int4, .float4E2M1, .float6E2M3, .float6E3M2:
      return try parsePackedElements(type, shape: shape, count: count, at: place)
    }
  }

  // MARK: Element lists

  /// Exactly `count` elements.
  private mutating func elements<Element>(
    _ count: Int, _ shape: [Int], _ place: Token,
    _ element: (inout Parser) throws(CompileError) -> Element
  ) throws(CompileError) -> [Element] {
    var elements: [Element] = []
    if !isAt("}") {
      try commaSeparated { (parser) throws(CompileError) in
        guard elements.count < count else {
          throw parser.failure("more than the \(count) elements of shape \(shape)")
        }
        elements.append(try element(&parser))
      }
    }
    guard elements.count == count else {
      throw failure(
        "\(elements.count) elements for shape \(shape), which has \(count)", at: place)
    }
    return elements
  }

  private mutating func tensor<Element: BitwiseCopyable>(
    _ type: ElementType, _ shape: [Int], _ count: Int, _ place: Token,
    _ element: (inout Parser) throws(CompileError) -> Element
  ) throws(CompileError) -> Tensor {
    Tensor(type, shape: shape, elements: try elements(count, shape, place, element))
  }

  private mutating func integers<Element: FixedWidthInteger & BitwiseCopyable>(
    _ type: ElementType, _ shape: [Int], _ count: Int, _ place: Token, _: Element.Type
  ) throws(CompileError) -> Tensor {
    try tensor(type, shape, count, place) { (parser) throws(CompileError) in
      try parser.expectInteger("an integer", as: Element.self)
    }
  }

  /// Real and imaginary parts in turn.
  private mutating func complex<
    Part: LosslessStringConvertible & BinaryFloatingPoint & BitwiseCopyable
  >(
    _ type: ElementType, _ shape: [Int], _ count: Int, _ place: Token, _: Part.Type
  ) throws(CompileError) -> Tensor {
    let parts = try elements(2 * count, shape + [2], place) { (parser) throws(CompileError) in
      try parser.expectNumber(as: Part.self)
    }
    let storage = parts.withUnsafeBytes { source in
      TensorStorage(byteCount: source.count) { $0.copyMemory(from: source) }
    }
    return Tensor(type, shape: shape, storage: storage)
  }

  // MARK: Elements

  private mutating func parseBool() throws(CompileError) -> UInt8 {
    let place = token
    let value = try expectInteger("0 or 1", as: UInt8.self)
    guard value <= 1 else { throw failure("expected 0 or 1", at: place) }
    return value
  }

  /// A value if written as one, else a bit pattern.
  private mutating func parseHalf() throws(CompileError) -> UInt16 {
    guard token.kind != .integer else {
      return try expectInteger("a bit pattern", as: UInt16.self)
    }
    return try expectNumber(as: Float16.self).bitPattern
  }

  private mutating func parseBrainFloat() throws(CompileError) -> UInt16 {
    guard token.kind != .integer else {
      return try expectInteger("a bit pattern", as: UInt16.self)
    }
    let value = try expectNumber(as: Float.self)
    return Tensor(rounding: [value], to: .bfloat16, shape: []).array(of: UInt16.self)[0]
  }

  // MARK: Sub-byte elements

  /// Values where there are as many numbers as elements, packed bytes where as many as bytes.
  private mutating func parsePackedElements(
    _ type: ElementType, shape: [Int], count: Int, at place: Token
  ) throws(CompileError) -> Tensor {
    let width = type.bitWidth
    let isSigned = type == .int2 || type == .int4
    var numbers: [Int] = []
    var places: [Token] = []
    if !isAt("}") {
      try commaSeparated { (parser) throws(CompileError) in
        guard numbers.count < count else {
          throw parser.failure("more than the \(count) elements of shape \(shape)")
        }
        places.append(parser.token)
        numbers.append(try parser.expectInteger("an integer"))
      }
    }
    let byteCount = type.byteCount(of: count)!
    let holdsValues = numbers.count == count
    // ONNX does not pack six-bit elements in text.
    guard holdsValues || (numbers.count == byteCount && width < 6) else {
      throw failure("\(numbers.count) elements for shape \(shape), which has \(count)", at: place)
    }
    let lowest = holdsValues && isSigned ? -(1 << (width - 1)) : 0
    let highest = holdsValues ? (1 << width) - 1 : 255
    for (number, place) in zip(numbers, places) where number < lowest || number > highest {
      throw failure("\(number) is out of range", at: place)
    }
    guard holdsValues else {
      return Tensor(
        type, shape: shape,
        storage: TensorStorage(byteCount: byteCount) { bytes in
          for (index, number) in numbers.enumerated() { bytes[index] = UInt8(number) }
        })
    }
    return packed(type, shape: shape, patterns: numbers.lazy.map { UInt8(truncatingIfNeeded: $0) })
  }
}

/// A tensor of sub-byte elements, given as bit patterns whose upper bits are ignored.
func packed(_ type: ElementType, shape: [Int], patterns: some Sequence<UInt8>) -> Tensor {
  var tensor = Tensor(zeros: type, shape: shape)
  let width = type.bitWidth
  tensor.withUnsafeMutableBytes { bytes in
    var bit = 0
    for pattern in patterns {
      // Elements of six bits may straddle two bytes.
      let shifted = (UInt16(pattern) & ((1 << UInt16(width)) - 1)) << UInt16(bit % 8)
      bytes[bit / 8] |= UInt8(truncatingIfNeeded: shifted)
      if shifted > 255 { bytes[bit / 8 + 1] |= UInt8(shifted >> 8) }
      bit += width
    }
  }
  return tensor
}

/// The bit patterns of a tensor of sub-byte elements.
func unpacked(_ tensor: Tensor) -> [UInt8] {
  let width = tensor.elementType.bitWidth
  return tensor.withUnsafeBytes { bytes in
    (0..<tensor.count).map { index in
      let bit = index * width
      let low = UInt16(bytes[bit / 8])
      let high = bit % 8 + width > 8 ? UInt16(bytes[bit / 8 + 1]) : 0
      let pattern = (low | high << 8) >> UInt16(bit % 8)
      return UInt8(truncatingIfNeeded: pattern & ((1 << UInt16(width)) - 1))
    }
  }
}
