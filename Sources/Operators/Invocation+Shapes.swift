import PrunecGraphIR
import PrunecTensors

/// A list of integers that a node gives as an attribute or an operand.
enum GivenIntegers {
  case absent
  /// Given, but not known at compile time.
  case unknown
  case known([Int])

  var values: [Int]? {
    if case .known(let values) = self { return values }
    return nil
  }
}

extension Invocation {
  /// The integers that versions of the operator before `opset` take as attribute `name`, and those
  /// since as operand `index`.
  func integers(
    attribute name: String, operand index: Int, since opset: Int
  ) throws(CompileError) -> GivenIntegers {
    guard self.opset >= opset else {
      return try optionalInts(name).map { .known($0) } ?? .absent
    }
    guard let operand = operand(index) else { return .absent }
    try requireIntegerList(index)
    return operand.constantIntegers.map { .known($0) } ?? .unknown
  }

  /// Throws where operand `index` is known to be anything but a vector, or scalar, of integers.
  func requireIntegerList(_ index: Int) throws(CompileError) {
    if let rank = operand(index)?.rank, rank > 1 {
      throw malformed("operand \(index) has \(rank) axes instead of one")
    }
    if let type = elementType(index), type != .int64, type != .int32 {
      throw malformed("operand \(index) is of type \(type.name) instead of int64")
    }
  }

  /// What makes such integers `values`.
  func adaptation(
    _ values: [Int], attribute name: String, operand index: Int, since opset: Int
  ) -> Adaptation {
    guard self.opset >= opset else { return .attribute(Attribute(name, values)) }
    return .operand(index, integerTensor(values, likeOperand: index))
  }

  /// What makes the elements `numbers` of operand `index`, a vector of integers, these numbers.
  func adaptations(_ numbers: [Int: Int], ofOperand index: Int) -> [Adaptation] {
    guard let integers = operand(index)?.integers else { return [] }
    let changed = numbers.filter { integers[$0.key] != .fixed($0.value) }
    guard !changed.isEmpty else { return [] }
    guard var constants = operand(index)?.constantIntegers else {
      return [.elements(index, changed)]
    }
    for (position, number) in changed { constants[position] = number }
    return [.operand(index, integerTensor(constants, likeOperand: index))]
  }

  /// A vector of `values` in the integer type of operand `index`.
  func integerTensor(_ values: [Int], likeOperand index: Int) -> Tensor {
    let type = elementType(index) == .int32 ? ElementType.int32 : .int64
    return Tensor(wrapping: values, to: type, shape: [values.count])
  }

  /// `axes` counted from the front; throws where one is out of range or given twice.
  func normalizedAxes(_ axes: [Int], rank: Int) throws(CompileError) -> [Int] {
    var seen = Set<Int>()
    var normalized: [Int] = []
    for axis in axes {
      let axis = try normalizedAxis(axis, rank: rank)
      guard seen.insert(axis).inserted else { throw malformed("axis \(axis) is given twice") }
      normalized.append(axis)
    }
    return normalized
  }

  /// The element type that the given operands share, as far as one is known; throws where two
  /// differ.
  func commonElementType(_ indices: some Sequence<Int>) throws(CompileError) -> ElementType? {
    var common: ElementType?
    for index in indices {
      guard let type = elementType(index) else { continue }
      if let common, common != type {
        throw malformed("operands of types \(common.name) and \(type.name) do not go together")
      }
      common = type
    }
    return common
  }

  /// The extents of a result whose rank is the number of elements of the vector operand `index`.
  func unknownExtents(countedByOperand index: Int) -> [Dimension]? {
    // The length comes from the file; no tensor has more axes than this.
    guard let shape = shape(index), shape.count == 1, let rank = shape[0].fixedExtent, rank <= 64
    else { return nil }
    return [Dimension](repeating: .unknown, count: rank)
  }

  /// `tensor` operand `index` of an evaluation.
  func tensor(_ index: Int, of operands: [Tensor?]) throws(CompileError) -> Tensor {
    guard index < operands.count, let tensor = operands[index] else {
      throw malformed("operand \(index) is missing")
    }
    return tensor
  }
}

extension Dimension {
  /// The sum of extents: a number where all are, a symbol where the others are zero.
  static func sum(_ extents: [Extent], _ call: Invocation) throws(CompileError) -> Dimension {
    var total = 0
    var symbol: Dimension?
    var isKnown = true
    for extent in extents {
      switch extent {
      case .fixed(let extent):
        let (next, overflow) = total.addingReportingOverflow(extent)
        guard !overflow else { throw call.malformed("an extent is out of range") }
        total = next
      case .symbol:
        if symbol != nil { isKnown = false }
        symbol = Dimension(extent)
      case .unknown: isKnown = false
      }
    }
    guard isKnown else { return .unknown }
    guard let symbol else { return .fixed(total) }
    return total == 0 ? symbol : .unknown
  }
}
