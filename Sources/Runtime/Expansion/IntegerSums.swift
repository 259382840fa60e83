import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Sums of products of integers of 8 bits, each less its zero point, as float32 products.
///
/// float32 holds every integer up to 2^24, so a product in which no sum can come to more is exact, in whatever order
/// its terms are added (not by Winograd's formulas, whose terms are others). Where the weights do not rule larger sums
/// out the inner axis is divided, and the parts' sums are added as int32.
enum IntegerSums {
  /// No partial sum is greater.
  private static let exactLimit = 1 << 24
  /// More parts than these are left to the reference.
  private static let partLimit = 8

  /// How far elements of a type may lie from their zero point, which may not be known.
  static func reach(_ type: ElementType?, zeroPoint: Tensor?, isPresent: Bool) -> Int? {
    guard type == .int8 || type == .uint8, let range = type?.integerRange else { return nil }
    guard isPresent else { return max(-range.lowerBound, range.upperBound) }
    guard let zeros = zeroPoint?.integers, let least = zeros.min(), let greatest = zeros.max()
    else { return range.upperBound - range.lowerBound }
    return max(range.upperBound - least, greatest - range.lowerBound)
  }

  /// Where the inner axis, of `count` indices, is divided, so that sums over a part stay exact: `magnitudes` gives those of
  /// the weights at an inner index, one for each sum. `nil` where that takes too many parts.
  static func parts(
    _ count: Int, reach: Int, magnitudes: (_ inner: Int) -> [Int]
  ) -> [Range<Int>]? {
    func isExact(_ totals: [Int]) -> Bool { (totals.max() ?? 0) * reach <= exactLimit }
    var parts: [Range<Int>] = []
    var start = 0
    var totals: [Int] = []
    for inner in 0..<count {
      let own = magnitudes(inner)
      guard isExact(own) else { return nil }
      let joined = inner == start ? own : zip(totals, own).map { $0 + $1 }
      if isExact(joined) {
        totals = joined
      } else {
        parts.append(start..<inner)
        (start, totals) = (inner, own)
      }
    }
    parts.append(start..<count)
    return parts.count <= partLimit ? parts : nil
  }

  /// Where the inner axis is divided when nothing is known of the weights but how far they reach.
  static func parts(_ count: Int, reach: Int, weightReach: Int) -> [Range<Int>]? {
    let size = exactLimit / max(1, reach * weightReach)
    guard size > 0, (count + size - 1) / size <= partLimit else { return nil }
    return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }

  /// How far the elements of a tensor are from the zero points of their filters: `filter` gives it for a place in row-major
  /// order.
  static func magnitudes(
    _ tensor: Tensor, _ zeroPoint: Tensor?, filter: (Int) -> Int
  ) -> [Int16] {
    let zeros = zeroPoint.map { $0.integers.map(Int16.init) } ?? [0]
    func magnitudes<Element: BinaryInteger & BitwiseCopyable>(_ type: Element.Type) -> [Int16] {
      let elements = tensor.array(of: type)
      if zeros.count == 1 { return elements.map { abs(Int16($0) - zeros[0]) } }
      return elements.enumerated().map { abs(Int16($1) - zeros[filter($0)]) }
    }
    return tensor.elementType == .int8 ? magnitudes(Int8.self) : magnitudes(UInt8.self)
  }
}

extension ExpandedGraph {
  /// Whether an operand is known to be one number.
  func isSingle(_ value: ValueID?, _ call: Invocation, _ index: Int) -> Bool {
    value != nil && call.shape(index)?.allSatisfy { $0.fixedExtent == 1 } == true
  }

  /// A quantised value less its zero point as float32. Constants are computed when they are packed, one after the other.
  mutating func addShifted(
    _ value: ValueID, zeroPoint: ValueID?, axis: Int? = nil, for node: NodeID
  ) -> ValueID {
    let scale = addOne(for: node)
    return add(
      "DequantizeLinear", [value, scale] + (zeroPoint.map { [$0] } ?? []),
      axis.map { [Attribute("axis", $0)] } ?? [], for: node)
  }

  /// Whether a zero point is left out, or a constant that DequantizeLinear takes: one number, or one for each of so many
  /// filters.
  func isZeroPoint(_ value: ValueID?, filters: Int, _ call: Invocation) -> Bool {
    guard let value else { return true }
    guard let tensor = constant(value) else { return false }
    return tensor.count == 1 || tensor.shape == [filters] && call.opset >= 13
  }

  /// The sum of the parts' sums, as int32.
  mutating func addSum(of parts: [ValueID], for node: NodeID) -> ValueID {
    let type = [Attribute("to", Int(ElementType.int32.rawValue))]
    let sums = parts.map { add("Cast", [$0], type, for: node) }
    return sums.dropFirst().reduce(sums[0]) { add("Add", [$0, $1], for: node) }
  }

  /// Indices `range` of the axis `axis` of a value.
  mutating func addSlice(
    _ value: ValueID, axis: Int, _ range: Range<Int>, for node: NodeID
  ) -> ValueID {
    func vector(_ number: Int) -> Tensor { Tensor(.int64, shape: [1], elements: [Int64(number)]) }
    let start = addConstant(vector(range.lowerBound), for: node)
    let end = addConstant(vector(range.upperBound), for: node)
    let axes = addConstant(vector(axis), for: node)
    return add("Slice", [value, start, end, axes], for: node)
  }

  /// int32 sums times `factors`, which broadcast to them, rounded and shifted to a zero point.
  mutating func addRequantized(
    _ sums: ValueID, by factors: Tensor, zeroPoint: ValueID, for node: NodeID
  ) -> ValueID {
    let type = [Attribute("to", Int(ElementType.float32.rawValue))]
    let numbers = add("Cast", [sums], type, for: node)
    let scaled = add("Mul", [numbers, addConstant(factors, for: node)], for: node)
    return add("QuantizeLinear", [scaled, addOne(for: node), zeroPoint], for: node)
  }

  /// `left right / divisor`: the scales of the operands and of the result, where they are constants, in a shape that
  /// broadcasts to sums with so many axes behind that of the filters. `right` may have one number for each filter.
  func factors(
    _ left: ValueID?, _ right: ValueID?, _ divisor: ValueID?, filters: Int, trailingAxes: Int
  ) -> Tensor? {
    guard let left = constant(left), let right = constant(right), let divisor = constant(divisor),
      [left, right, divisor].allSatisfy({ $0.elementType == .float32 }),
      left.count == 1, divisor.count == 1, [1, filters].contains(right.count),
      right.shape.dropLast().allSatisfy({ $0 == 1 })
    else { return nil }
    let numbers = right.floats.map { left.floats[0] * $0 / divisor.floats[0] }
    guard numbers.count > 1 else { return Tensor(numbers, shape: []) }
    return Tensor(
      numbers, shape: [numbers.count] + [Int](repeating: 1, count: trailingAxes))
  }
}
