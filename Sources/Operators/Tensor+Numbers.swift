import PrunecTensors

extension Tensor {
  /// Calls `body` with the elements as float32: those of a float32 tensor as they lie in memory, which
  /// spares a large weight the copy that `floats` would be.
  func withFloats<R>(_ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    guard elementType == .float32, hasData else { return floats.withUnsafeBufferPointer(body) }
    return withElements(as: Float.self, body)
  }

  /// The elements as `Double`, exact for every floating point type; integers and booleans are
  /// converted.
  var doubles: [Double] {
    if elementType == .float64 { return array(of: Double.self) }
    if elementType.isFloatingPoint || elementType.isNarrowFloat { return floats.map(Double.init) }
    return integers.map(Double.init)
  }

  /// A tensor of a floating point type with elements nearest to `values`.
  init(rounding values: [Double], to elementType: ElementType, shape: [Int]) {
    if elementType == .float64 {
      self.init(.float64, shape: shape, elements: values)
    } else {
      self.init(rounding: values.map { Float($0) }, to: elementType, shape: shape)
    }
  }

  /// A tensor of an integer type, or of booleans, that holds `values` modulo its width:
  /// what integer arithmetic of that width would have given.
  package init(wrapping values: [Int], to elementType: ElementType, shape: [Int]) {
    func wrap<Element: FixedWidthInteger & BitwiseCopyable>(_: Element.Type) -> Tensor {
      Tensor(elementType, shape: shape, elements: values.map(Element.init(truncatingIfNeeded:)))
    }
    switch elementType {
    case .int64: self = wrap(Int64.self)
    case .int32: self = wrap(Int32.self)
    case .int16: self = wrap(Int16.self)
    case .int8: self = wrap(Int8.self)
    case .uint64: self = wrap(UInt64.self)
    case .uint32: self = wrap(UInt32.self)
    case .uint16: self = wrap(UInt16.self)
    case .uint8, .bool: self = wrap(UInt8.self)
    case .uint4, .int4, .uint2, .int2: self.init(packing: values, to: elementType, shape: shape)
    default: preconditionFailure("\(elementType) is not an integer type")
    }
  }
}

extension ElementType {
  /// Least and greatest value of an integer type or of booleans, as far as `Int` reaches.
  package var integerRange: ClosedRange<Int> {
    switch self {
    case .bool: 0...1
    case .uint2: 0...3
    case .int2: -2...1
    case .uint4: 0...15
    case .int4: -8...7
    case .uint8: 0...255
    case .int8: -128...127
    case .uint16: 0...65535
    case .int16: -32768...32767
    case .uint32: 0...Int(UInt32.max)
    case .int32: Int(Int32.min)...Int(Int32.max)
    case .uint64: 0...Int.max
    default: Int.min...Int.max
    }
  }
}
