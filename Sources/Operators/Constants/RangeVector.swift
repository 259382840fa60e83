import Glibc
import PrunecGraphIR
import PrunecTensors

/// Range (ONNX opset 11 to 28): the vector `start, start + delta, ...` before `limit`, of
/// `max(ceil((limit - start) / delta), 0)` elements.
///
/// Channels: the elements are positions, so that the axis is pinned.
struct RangeVector: Operator {
  let signature = Signature(
    "Range", opsets: 11...28, operands: 3...3, attributes: ["stash_type": .int(1)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(0..<3)
    for index in 0..<3 {
      if let shape = call.operand(index)?.fixedShape, shape.checkedElementCount != 1 {
        throw call.malformed("operand \(index) is no scalar but of shape \(shape)")
      }
    }
    return [ValueFacts(type, [try extent(call)])]
  }

  private func extent(_ call: Invocation) throws(CompileError) -> Dimension {
    let bounds = (0..<3).map { call.operand($0)?.shapeElements?.first }
    if case (.fixed(let start)?, .fixed(let limit)?, .fixed(let delta)?) =
      (bounds[0], bounds[1], bounds[2])
    {
      let (span, overflow) = limit.subtractingReportingOverflow(start)
      guard delta != 0, !overflow else { throw call.malformed("the range has no length") }
      guard (span > 0) == (delta > 0), span != 0 else { return .fixed(0) }
      return .fixed(Int(clamping: (span.magnitude - 1) / delta.magnitude + 1))
    }
    if bounds[0] == .fixed(0), bounds[2] == .fixed(1), case .symbol(let limit)? = bounds[1] {
      return .symbol(limit)
    }
    let numbers = (0..<3).compactMap { call.operand($0)?.constant }
    guard numbers.count == 3, numbers.allSatisfy(\.elementType.isFloatingPoint) else {
      return .unknown
    }
    let (start, limit, delta) = (
      numbers[0].doubles[0], numbers[1].doubles[0], numbers[2].doubles[0]
    )
    let count = max(ceil((limit - start) / delta), 0)
    guard let count = Int(exactly: count) else { throw call.malformed("the range has no length") }
    return .fixed(count)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    relations.pin(.result(axis: 0), because: "the elements are positions")
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let count = try resolve(call, on: operands).results[0].fixedShape![0]
    let start = try call.tensor(0, of: operands)
    let delta = try call.tensor(2, of: operands)
    if start.elementType.isFloatingPoint {
      let (first, step) = (start.doubles[0], delta.doubles[0])
      let elements = (0..<count).map { first + Double($0) * step }
      return [Tensor(rounding: elements, to: start.elementType, shape: [count])]
    }
    guard start.elementType.isInteger else {
      throw call.unsupported("a range of \(start.elementType.name) is not evaluated")
    }
    let (first, step) = (try call.integers(of: start)[0], try call.integers(of: delta)[0])
    let elements = (0..<count).map { first &+ $0 &* step }
    return [Tensor(wrapping: elements, to: start.elementType, shape: [count])]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
