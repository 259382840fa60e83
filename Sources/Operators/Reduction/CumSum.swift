import PrunecGraphIR
import PrunecTensors

/// CumSum (ONNX opset 11 to 28): `Y[..., j, ...] = sum over i <= j of X[..., i, ...]` along `axis`,
/// the second operand; i < j with `exclusive`, from the end with `reverse`. `X`, `Y [d0 ... dn]`.
///
/// Channels: the axis summed along is pinned, since every element holds those before it; the others
/// are those of Y.
package struct CumSum: Operator {
  package let signature = Signature(
    "CumSum", opsets: 11...28, operands: 2...2,
    attributes: ["exclusive": .int(0), "reverse": .int(0)])

  package init() {}

  /// The axis, where it is known.
  private func axis(_ call: Invocation, rank: Int) throws(CompileError) -> Int? {
    guard let given = call.operand(1)?.constantIntegers else { return nil }
    guard given.count == 1 else { throw call.malformed("there are \(given.count) axes") }
    return try call.normalizedAxis(given[0], rank: rank)
  }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, or: .wideIntegers)
    for name in ["exclusive", "reverse"] { _ = try call.requiredInt(name) }
    if let rank = call.shape(0)?.count { _ = try axis(call, rank: rank) }
    return [ValueFacts(call.elementType(0), call.shape(0))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let axis = try? axis(call, rank: rank) else { return }
    for other in 0..<rank {
      relations.equal(.operand(0, axis: other), .result(axis: other))
    }
    relations.pin(.operand(0, axis: axis), because: "CumSum adds up along it")
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = operands[0]!
    guard let axis = try axis(resolved, rank: x.rank) else {
      throw call.malformed("the axis is no integer")
    }
    let lanes = AxisLanes(x.shape, axis: axis)
    let (isExclusive, isReverse) = (call.int("exclusive") != 0, call.int("reverse") != 0)
    func accumulate<Element>(
      _ elements: [Element], _ zero: Element, _ add: (Element, Element) -> Element
    ) -> [Element] {
      var y = elements
      for start in lanes.starts {
        var sum = zero
        for step in 0..<lanes.count {
          let position = start + (isReverse ? lanes.count - 1 - step : step) * lanes.stride
          let next = add(sum, elements[position])
          y[position] = isExclusive ? sum : next
          sum = next
        }
      }
      return y
    }
    guard x.elementType.isFloatingPoint else {
      return [
        Tensor(wrapping: accumulate(x.integers, 0, &+), to: x.elementType, shape: x.shape)
      ]
    }
    return [Tensor(rounding: accumulate(x.doubles, 0, +), to: x.elementType, shape: x.shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}
