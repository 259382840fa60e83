import Glibc
import PrunecGraphIR
import PrunecTensors

/// LRN, local response normalisation (ONNX opset 7 to 28):
/// `Y[n, c] = X[n, c] / (bias + alpha / size * sum of X[n, i]^2)^beta`, the sum over the channels i
/// from `c - floor((size - 1) / 2)` to `c + ceil((size - 1) / 2)`; `X`, `Y [N, C, D1 ... Dn]`.
///
/// Channels: each depends on its neighbours, so the channel axis is pinned unless the window is one
/// channel wide. Along the other axes every index stands by itself.
package struct LRN: Operator {
  package let signature = Signature(
    "LRN", operands: 1...1,
    attributes: ["alpha": .float(1e-4), "beta": .float(0.75), "bias": .float(1), "size": nil])

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    for name in ["alpha", "beta", "bias"] { _ = try call.requiredFloat(name) }
    let size = try call.requiredInt("size")
    guard size >= 1 else { throw call.malformed("size is \(size)") }
    if let shape = call.shape(0), shape.count < 2 {
      throw call.malformed("X has \(shape.count) axes")
    }
    return [ValueFacts(call.elementType(0), call.shape(0))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
    if call.int("size") != 1 {
      relations.pin(
        .operand(0, axis: 1), because: "LRN normalises each channel by its neighbours")
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let (alpha, beta, bias) = (call.float("alpha")!, call.float("beta")!, call.float("bias")!)
    let size = call.int("size")!
    let (before, after) = ((size - 1) / 2, size / 2)
    let (channels, count) = (x.shape[1], x.shape[2...].reduce(1, *))
    let source = x.floats
    let squares = source.map { $0 * $0 }
    var y = source
    var sums = [Float](repeating: 0, count: count)
    for plane in 0..<(x.shape[0] * channels) {
      let channel = plane % channels
      let first = plane - min(channel, before)
      let last = plane + min(channels - 1 - channel, after)
      for index in 0..<count { sums[index] = 0 }
      for neighbour in first...last {
        for index in 0..<count { sums[index] += squares[neighbour * count + index] }
      }
      for index in 0..<count {
        y[plane * count + index] /= powf(bias + alpha / Float(size) * sums[index], beta)
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension LRN: KernelOperator {
  /// No kernel counts a wider window.
  private static let largestSize = 1 << 16

  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let size = try call.requiredInt("size")
    guard size <= Self.largestSize else { return nil }
    return .localResponse(
      LocalResponseComputation(
        size: size, alpha: try call.requiredFloat("alpha"), beta: try call.requiredFloat("beta"),
        bias: try call.requiredFloat("bias")))
  }
}
