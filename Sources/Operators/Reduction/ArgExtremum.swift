import PrunecGraphIR
import PrunecTensors

/// ArgMax and ArgMin (ONNX opset 7 to 28): `Y`, int64, is the index along `axis` of the greatest or
/// least element of X, the first of equal ones unless `select_last_index` is given (opset 12 on).
/// `X [d0 ... dn]`; in Y the axis has extent one or, with `keepdims` 0, is gone. The two differ in
/// nothing but the comparison.
///
/// Channels: the axis that is searched is pinned, since indices count along it; the others are
/// those of Y.
package struct ArgExtremum: DiscontinuousOperator {
  package let signature: Signature
  private let takesGreatest: Bool

  private init(_ type: String, takesGreatest: Bool) {
    signature = Signature(
      type, operands: 1...1,
      attributes: ["axis": .int(0), "keepdims": .int(1), "select_last_index": .int(0)])
    self.takesGreatest = takesGreatest
  }

  package static let all = [
    ArgExtremum("ArgMax", takesGreatest: true),
    ArgExtremum("ArgMin", takesGreatest: false),
  ]

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for name in ["axis", "keepdims", "select_last_index"] { _ = try call.requiredInt(name) }
    if let type = call.elementType(0), !type.isInteger { try call.requireFloatingPoint(0) }
    guard var shape = call.shape(0) else { return [ValueFacts(.int64, nil)] }
    let axis = try call.normalizedAxis(call.int("axis")!, rank: shape.count)
    if shape[axis].fixedExtent == 0 { throw call.malformed("there is nothing along the axis") }
    if call.int("keepdims") == 1 { shape[axis] = .fixed(1) } else { shape.remove(at: axis) }
    return [ValueFacts(.int64, shape)]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let given = call.int("axis") else { return }
    let axis = given < 0 ? given + rank : given
    let keeps = call.int("keepdims") == 1
    for other in 0..<rank where other != axis {
      relations.equal(
        .operand(0, axis: other), .result(axis: other > axis && !keeps ? other - 1 : other))
    }
    relations.pin(
      .operand(0, axis: axis), because: "\(signature.operation) gives indices along it")
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = operands[0]!
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let lanes = AxisLanes(x.shape, axis: axis)
    let takesLast = call.int("select_last_index") != 0
    func search<Element: Comparable>(_ elements: [Element]) -> [Int] {
      var indices: [Int] = []
      for start in lanes.starts {
        var (best, index) = (elements[start], 0)
        for candidate in 1..<max(1, lanes.count) {
          let element = elements[start + candidate * lanes.stride]
          let isBetter = takesGreatest ? element > best : element < best
          if isBetter || takesLast && element == best {
            (best, index) = (element, candidate)
          }
        }
        indices.append(index)
      }
      return indices
    }
    let indices = x.elementType.isInteger ? search(x.integers) : search(x.doubles)
    return [Tensor(indices, shape: shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}
