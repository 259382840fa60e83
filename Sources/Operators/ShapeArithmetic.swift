import PrunecGraphIR
import PrunecTensors

/// What is known of the elements of small tensors: exporters compute shapes by operators that move
/// elements, besides arithmetic.
extension ValueFacts {
  /// Larger tensors are no shape arithmetic.
  public static let shapeElementLimit = 1024

  /// The elements in row-major order as far as they are known to be integers, of whatever type and
  /// rank, where they are so few that they may be shape arithmetic.
  var shapeElements: [SymbolicInteger]? {
    guard Self.isShapeArithmetic(shape) else { return nil }
    if case .integers(let elements) = contents {
      return elements.count == fixedShape!.elementCount ? elements : nil
    }
    guard let constant else { return nil }
    if constant.elementType.isFloatingPoint {
      return constant.doubles.map { SymbolicInteger(wholeNumber: $0) }
    }
    guard constant.elementType.isInteger || constant.elementType == .bool else { return nil }
    return constant.integers.map { .fixed($0) }
  }

  static func isShapeArithmetic(_ shape: [Dimension]?) -> Bool {
    // An extent of zero does not make the others small.
    let extents = TensorType(nil, shape).fixedShape?.map { $0 == 0 ? 1 : $0 }
    return extents?.checkedElementCount.map { $0 <= shapeElementLimit } ?? false
  }

  /// What is known of the elements when they are put, in order, into a tensor of another shape.
  func contents(under shape: [Dimension]?) -> Contents {
    guard Self.isShapeArithmetic(shape), let elements = shapeElements else { return .unknown }
    return .integers(elements)
  }
}

extension Operator {
  /// What is known of the elements of a result, of shape `shape`, of a node that moves elements of the
  /// operands `data` and may add some of its own.
  ///
  /// The node is evaluated on numbered elements, the other operands being constant, and again on the
  /// same with other numbers: what differs has been moved.
  func movedContents(
    _ call: Invocation, of data: some Sequence<Int>, to shape: [Dimension]?, result: Int = 0
  ) -> ValueFacts.Contents {
    guard ValueFacts.isShapeArithmetic(shape) else { return .unknown }
    var elements: [SymbolicInteger] = []
    var places: [(operand: Int, start: Int)] = []
    var isKnown = false
    for index in data {
      guard let operand = call.operand(index) else { continue }
      guard ValueFacts.isShapeArithmetic(operand.shape) else { return .unknown }
      let count = operand.fixedShape!.elementCount
      let known = operand.shapeElements
      isKnown = isKnown || known != nil
      places.append((index, elements.count))
      elements += known ?? [SymbolicInteger](repeating: .unknown, count: count)
    }
    // Whatever follows from constants alone is evaluated anyway.
    guard isKnown, places.contains(where: { call.operand($0.operand)!.constant == nil }) else {
      return .unknown
    }
    func evaluated(numberedFrom base: Int) -> [Int]? {
      var marked = call
      var operands = call.operands.map { $0?.knownTensor }
      for (operand, start) in places {
        let shape = call.operand(operand)!.fixedShape!
        let numbers = (0..<shape.elementCount).map { base + start + $0 }
        operands[operand] = Tensor(numbers, shape: shape)
      }
      guard zip(call.operands, operands).allSatisfy({ ($0 == nil) == ($1 == nil) }) else {
        return nil
      }
      marked.operands = operands.map { $0.map { ValueFacts(constant: $0) } }
      guard let results = try? evaluate(marked, operands), result < results.count,
        results[result].elementType == .int64
      else { return nil }
      return results[result].integers
    }
    let (first, second) = (1 << 40, 1 << 41)
    guard let a = evaluated(numberedFrom: first), let b = evaluated(numberedFrom: second),
      a.count == b.count
    else { return .unknown }
    return .integers(
      zip(a, b).map { x, y in
        if x == y { return SymbolicInteger.fixed(x) }
        let index = x - first
        return index == y - second && elements.indices.contains(index) ? elements[index] : .unknown
      })
  }
}
