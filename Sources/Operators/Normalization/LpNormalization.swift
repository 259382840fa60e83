import PrunecGraphIR
import PrunecTensors

/// LpNormalization (ONNX opset 7 to 28): `Y = X / norm`, with the norm of the lane along `axis`,
/// the sum of absolute values for `p` 1, the root of the sum of squares for `p` 2; zero where the
/// norm is zero. `X`, `Y [d0 ... dn]`.
///
/// Channels: every axis of X is that of Y. The normalised axis may be cut, since zeros add nothing
/// to the norm and stay zero.
package struct LpNormalization: Operator {
  package let signature = Signature(
    "LpNormalization", operands: 1...1, attributes: ["axis": .int(-1), "p": .int(2)])

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    let p = try call.requiredInt("p")
    guard p == 1 || p == 2 else { throw call.malformed("p is \(p)") }
    let axis = try call.requiredInt("axis")
    if let rank = call.shape(0)?.count { _ = try call.normalizedAxis(axis, rank: rank) }
    return [ValueFacts(call.elementType(0), call.shape(0))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let axis = call.int("axis") else { return }
    Broadcasting.relate(call, operands: 0..<1, &relations)
    relations.sum(over: .operand(0, axis: axis < 0 ? axis + rank : axis))
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let lanes = AxisLanes(x.shape, axis: axis)
    let isEuclidean = call.int("p") == 2
    var y = x.doubles
    for start in lanes.starts {
      var sum = 0.0
      for index in 0..<lanes.count {
        let element = y[start + index * lanes.stride]
        sum += isEuclidean ? element * element : abs(element)
      }
      guard sum != 0 else { continue }
      let norm = isEuclidean ? sum.squareRoot() : sum
      for index in 0..<lanes.count { y[start + index * lanes.stride] /= norm }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}
