import Glibc
import PrunecGraphIR
import PrunecTensors

/// TopK (ONNX opset 7 to 28): the K greatest elements of X along `axis`, or with `largest` 0 the
/// least, in order, and their indices; of equal elements the one with the lower index comes first.
/// `X [d0 ... a ... dn]`, `Values`, `Indices [d0 ... K ... dn]`, the indices int64. K is an
/// attribute, since opset 10 an operand.
///
/// Channels: the axis searched is pinned, since indices count along it; the others are those of the
/// results.
package struct TopK: DiscontinuousOperator {
  package let signature = Signature(
    "TopK", operands: 1...2, results: 2...2,
    attributes: ["axis": .int(-1), "k": nil, "largest": .int(1), "sorted": .int(1)])

  package init() {}

  /// The extent of the results along the axis.
  private func extent(_ call: Invocation) throws(CompileError) -> Dimension {
    guard call.opset >= 10 else { return .fixed(try call.requiredInt("k")) }
    guard let integers = call.operand(1)?.integers else { return .unknown }
    guard integers.count == 1 else { throw call.malformed("K has \(integers.count) elements") }
    return Dimension(integers[0])
  }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    if let type, !type.isInteger { try call.requireFloatingPoint(0) }
    for name in ["axis", "largest", "sorted"] { _ = try call.requiredInt(name) }
    let count = try extent(call)
    if let number = count.fixedExtent, number < 0 { throw call.malformed("K is \(number)") }
    guard var shape = call.shape(0) else {
      return call.forResults([ValueFacts(type, nil), ValueFacts(.int64, nil)])
    }
    let axis = try call.normalizedAxis(call.int("axis")!, rank: shape.count)
    if let number = count.fixedExtent, let available = shape[axis].fixedExtent, number > available {
      throw call.malformed("K is \(number), the axis has \(available)")
    }
    shape[axis] = count
    return call.forResults([ValueFacts(type, shape), ValueFacts(.int64, shape)])
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let given = call.int("axis") else { return }
    let axis = given < 0 ? given + rank : given
    for other in 0..<rank where other != axis {
      for result in call.results.indices {
        relations.equal(.operand(0, axis: other), .result(result, axis: other))
      }
    }
    relations.pin(.operand(0, axis: axis), because: "TopK gives indices along it")
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = operands[0]!
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let isLargest = call.int("largest") == 1
    let lanes = AxisLanes(x.shape, axis: axis)
    let targets = AxisLanes(shape, axis: axis)
    var indices = [Int](repeating: 0, count: shape.elementCount)
    var origins = indices
    // Lanes come in the same order in X and in the results, whose lanes differ in length alone.
    func select<Element: Comparable>(_ elements: [Element]) {
      guard !indices.isEmpty else { return }
      for (start, target) in zip(lanes.starts, targets.starts) {
        let order = (0..<lanes.count).sorted { a, b in
          let (x, y) = (elements[start + a * lanes.stride], elements[start + b * lanes.stride])
          return x == y ? a < b : (x > y) == isLargest
        }
        for (rank, index) in order.prefix(targets.count).enumerated() {
          indices[target + rank * targets.stride] = index
          origins[target + rank * targets.stride] = start + index * lanes.stride
        }
      }
    }
    if x.elementType.isInteger { select(x.integers) } else { select(x.doubles) }
    let width = x.elementType.bitWidth / 8
    let storage = x.withUnsafeBytes { source in
      TensorStorage(byteCount: origins.count * width) { target in
        for (index, origin) in origins.enumerated() {
          memcpy(target.baseAddress! + index * width, source.baseAddress! + origin * width, width)
        }
      }
    }
    return [
      Tensor(x.elementType, shape: shape, storage: storage), Tensor(indices, shape: shape),
    ]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}
