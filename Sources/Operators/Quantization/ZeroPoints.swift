import PrunecGraphIR
import PrunecTensors

/// Products of integers that stand for numbers, each less its zero point.
enum ZeroPoints {
  /// The number that operand `index`, a zero point, is known to be everywhere; zero where it is left out.
  static func uniform(_ call: Invocation, _ index: Int) -> Int? {
    guard let facts = call.operand(index) else { return 0 }
    guard let elements = facts.constant?.integers, let first = elements.first,
      elements.allSatisfy({ $0 == first })
    else { return nil }
    return first
  }

  /// Whether operand `index`, a scale or zero point, is known to be one number for everything.
  static func isSingle(_ call: Invocation, _ index: Int) -> Bool {
    guard call.operand(index) != nil else { return true }
    return call.shape(index)?.allSatisfy { $0.fixedExtent == 1 } ?? false
  }

  /// States that products of `a` and `b` are summed over. An index contributes nothing where either is
  /// its zero point, so one whose zero point is known can be masked; weights before data.
  static func relateSum(
    over a: (axis: AxisReference, zeroPoint: Int), _ b: (axis: AxisReference, zeroPoint: Int),
    _ call: Invocation, _ relations: inout Relations
  ) {
    if let zero = uniform(call, b.zeroPoint) {
      relations.sum(overCoefficient: b.axis, zero: zero)
    } else if let zero = uniform(call, a.zeroPoint) {
      relations.sum(overCoefficient: a.axis, zero: zero)
    } else {
      relations.pin(b.axis, because: "no operand has one zero point that is known")
    }
  }

  /// Throws where operands `indices` are known not to be integers of eight bits.
  static func requireBytes(_ call: Invocation, _ indices: Int...) throws(CompileError) {
    for index in indices {
      guard let type = call.elementType(index), type != .int8, type != .uint8 else { continue }
      throw call.malformed("operand \(index) is of type \(type.name)")
    }
  }

  /// Throws where one of operands `indices` is known to have more than one element.
  static func requireOne(_ call: Invocation, _ indices: Int...) throws(CompileError) {
    for index in indices {
      guard let shape = call.shape(index) else { continue }
      guard shape.allSatisfy({ $0.fixedExtent ?? 1 == 1 }) else {
        throw call.malformed("operand \(index) has more than one element")
      }
    }
  }

  /// `sums` times `scales`, rounded, and shifted by `zero` into the range of `type`.
  static func requantize(
    _ sums: [Int], by scales: [Float], to type: ElementType, zero: Int, shape: [Int]
  ) -> Tensor {
    let range = type.integerRange
    let elements = zip(sums, scales).map { sum, scale -> Int in
      let scaled = (Float(sum) * scale).rounded(.toNearestOrEven)
      guard !scaled.isNaN else { return range.lowerBound }
      return Int(max(Float(range.lowerBound), min(Float(range.upperBound), scaled + Float(zero))))
    }
    return Tensor(wrapping: elements, to: type, shape: shape)
  }
}
