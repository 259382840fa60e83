import PrunecGraphIR
import PrunecTensors

/// QLinearConv (ONNX opset 10 to 28): the convolution of quantised tensors, quantised:
/// `y = saturate(round((conv(x - x_zero_point, w - w_zero_point) + B) x_scale w_scale / y_scale) + y_zero_point)`
/// with `x [N, C, D1 ... Dn]`, `w [M, C/group, k1 ... kn]`, `B [M]` in 32 bits, `y [N, M, E1 ... En]`. Scale and
/// zero point of w may be one for each filter. Padding is x's zero point.
///
/// Channels: as for ConvInteger, with B and w's scales.
struct QLinearConv: Operator {
  private static let convolution = IntegerConvolution(
    form: ConvolutionForm(x: 0, w: 3, bias: 8), xZeroPoint: 2, wZeroPoint: 5)
  let signature = Signature(
    "QLinearConv", opsets: 10...28, operands: 8...9, attributes: IntegerConvolution.attributes)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(1, 4, 6)
    try ZeroPoints.requireBytes(call, 7)
    if let type = call.elementType(8), type != .int32 {
      throw call.malformed("B is of type \(type.name)")
    }
    try ZeroPoints.requireOne(call, 1, 6, 7)
    let shape = try Self.convolution.resultShape(call)
    try Self.convolution.requireOneOrEach(call, 4)
    return [ValueFacts(call.elementType(7), shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Self.convolution.relate(call, each: [4, 5], single: [1, 2, 6, 7], &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    Self.convolution.form.adapt(call, to: cut)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    var sums = try Self.convolution.sums(call, operands, shape: shape)
    let (filters, count) = (shape[1], shape[2...].reduce(1, *))
    let bias = operands.count > 8 ? operands[8]?.integers : nil
    let (x, w, y) = (
      operands[1]!.floats[0], operands[4]!.floats, operands[6]!.floats[0]
    )
    var scales: [Float] = []
    scales.reserveCapacity(sums.count)
    for index in sums.indices {
      let filter = index / count % filters
      if let bias { sums[index] += bias[filter] }
      scales.append(x * w[w.count == 1 ? 0 : filter] / y)
    }
    let zeroPoint = operands[7]!
    return [
      ZeroPoints.requantize(
        sums, by: scales, to: zeroPoint.elementType, zero: zeroPoint.integers[0], shape: shape)
    ]
  }

  func macs(_ call: Invocation) -> Int { Self.convolution.form.macs(call) }
}
