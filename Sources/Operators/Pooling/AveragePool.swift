import PrunecGraphIR
import PrunecTensors

/// AveragePool (ONNX opset 7 to 28): `Y[n, c, e...]` is the mean of the window at `e` in `X[n, c]`;
/// `X [N, C, D1 ... Dn]`, `Y [N, C, E1 ... En]`. The mean is over the elements of X alone or, with
/// `count_include_pad`, over those and the zeros of the padding; what a window covers beyond the
/// padding, because `ceil_mode` rounds up, never counts.
///
/// Channels: each is pooled by itself.
package struct AveragePool: Operator {
  package let signature = Signature(
    "AveragePool", operands: 1...1,
    attributes: Pooling.attributes.merging(["count_include_pad": .int(0)]) { $1 })

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    _ = try call.requiredInt("count_include_pad")
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
    let includesPadding = call.int("count_include_pad") != 0
    let y = windows.pool(x.floats, planes: x.shape[0] * x.shape[1]) { plane, offsets, padded in
      var sum = 0.0
      for offset in offsets { sum += Double(plane[offset]) }
      let count = includesPadding ? padded : Double(offsets.count)
      // A window of padding alone has the mean zero.
      return Float(sum / max(count, 1))
    }
    return [Tensor(rounding: y, to: x.elementType, shape: shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension AveragePool: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    try Pooling.computation(
      call, .average(countsPadding: call.requiredInt("count_include_pad") != 0))
  }
}
