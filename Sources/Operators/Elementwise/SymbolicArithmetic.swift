import PrunecGraphIR
import PrunecTensors

/// What is known of a function of integers that are known in part: exporters compute shapes with
/// the element-wise operators.
enum SymbolicArithmetic {
  /// The contents of an element-wise result of type `type` and shape `shape`, from those of its
  /// operands. Unknown unless some operand is shape arithmetic.
  static func combine(
    _ operands: [ValueFacts?], type: ElementType?, shape: [Dimension]?,
    _ formula: ([SymbolicInteger]) -> SymbolicInteger
  ) -> ValueFacts.Contents {
    guard ValueFacts.isShapeArithmetic(shape), let extents = TensorType(nil, shape).fixedShape
    else {
      return .unknown
    }
    var lists: [[SymbolicInteger]] = []
    var isKnown = false
    for operand in operands {
      guard let operand, let own = operand.fixedShape else { return .unknown }
      if case .integers = operand.contents { isKnown = true }
      let offsets = Broadcasting.offsets(of: own, in: extents)
      let list = operand.shapeElements
      lists.append(offsets.map { list?[$0] ?? .unknown })
    }
    guard isKnown else { return .unknown }
    return .integers(
      (0..<extents.elementCount).map { index in formula(lists.map { $0[index] }).fitting(type) })
  }

  static func add(_ a: SymbolicInteger, _ b: SymbolicInteger) -> SymbolicInteger {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): .fixed(x &+ y)
    case (.fixed(0), _): b
    case (_, .fixed(0)): a
    default: .unknown
    }
  }

  static func subtract(_ a: SymbolicInteger, _ b: SymbolicInteger) -> SymbolicInteger {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): .fixed(x &- y)
    case (_, .fixed(0)): a
    case (.symbol(let x), .symbol(let y)) where x == y: .fixed(0)
    default: .unknown
    }
  }

  static func multiply(_ a: SymbolicInteger, _ b: SymbolicInteger) -> SymbolicInteger {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): .fixed(x &* y)
    case (.fixed(0), _), (_, .fixed(0)): .fixed(0)
    case (.fixed(1), _): b
    case (_, .fixed(1)): a
    default: .unknown
    }
  }

  static func divide(_ a: SymbolicInteger, _ b: SymbolicInteger) -> SymbolicInteger {
    switch (a, b) {
    case (_, .fixed(0)): .unknown
    case (.fixed(let x), .fixed(let y)): .fixed(x.dividedReportingOverflow(by: y).partialValue)
    case (_, .fixed(1)): a
    default: .unknown
    }
  }

  /// Whether two integers are equal: extents are never negative.
  static func equal(_ a: SymbolicInteger, _ b: SymbolicInteger) -> SymbolicInteger {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): .fixed(x == y ? 1 : 0)
    case (.symbol(let x), .symbol(let y)) where x == y: .fixed(1)
    case (.symbol, .fixed(let number)), (.fixed(let number), .symbol):
      number < 0 ? .fixed(0) : .unknown
    default: .unknown
    }
  }
}

extension SymbolicInteger {
  /// An element of a floating point tensor, as far as it is an integer that single precision, and
  /// arithmetic in it, holds exactly.
  init(wholeNumber value: Double) {
    self = Int(exactly: value).map { Self.fixed($0).fitting(.float32) } ?? .unknown
  }

  /// The integer as an element of type `type`: unknown where it may not fit. Symbols are extents, which
  /// fit any integer type that exporters compute with.
  func fitting(_ type: ElementType?) -> SymbolicInteger {
    switch (self, type) {
    case (.fixed(let number), .float32?), (.fixed(let number), .float64?):
      number.magnitude <= 1 << 24 ? self : .unknown
    case (_, let type?) where !type.isInteger && type != .bool: .unknown
    case (.fixed(let number), let type?): type.integerRange.contains(number) ? self : .unknown
    default: self
    }
  }
}
