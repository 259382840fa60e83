import Glibc
import PrunecGraphIR
import PrunecTensors

/// LpPool (ONNX opset 7 to 28): `Y[n, c, e...] = (sum of |x|^p)^(1/p)` over the elements x of the
/// window at `e` in `X[n, c]`; `X [N, C, D1 ... Dn]`, `Y [N, C, E1 ... En]`.
///
/// Channels: each is pooled by itself.
package struct LpPool: Operator {
  package let signature = Signature(
    "LpPool", operands: 1...1, attributes: Pooling.attributes.merging(["p": .int(2)]) { $1 })

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    let p = try call.requiredInt("p")
    guard p >= 1 else { throw call.malformed("p is \(p)") }
    return [ValueFacts(call.elementType(0), try Pooling.shape(call))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    Pooling.relate(call, &relations)
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = operands[0]!
    let windows = try Pooling.windows(call, x.shape)
    let p = Double(call.int("p")!)
    let y = windows.pool(x.floats, planes: x.shape[0] * x.shape[1]) { plane, offsets, _ in
      var sum = 0.0
      for offset in offsets { sum += pow(abs(Double(plane[offset])), p) }
      return Float(pow(sum, 1 / p))
    }
    return [Tensor(rounding: y, to: x.elementType, shape: shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}
