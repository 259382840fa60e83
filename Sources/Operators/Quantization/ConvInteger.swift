import PrunecGraphIR
import PrunecTensors

/// ConvInteger (ONNX opset 10 to 28): the convolution of 8-bit integers as Conv has it, each less its zero
/// point, in 32 bits: `X [N, C, D1 ... Dn]`, `W [M, C/group, k1 ... kn]`, `Y [N, M, E1 ... En]`. Zero points
/// are zero where they are left out; that of W may be one for each filter. Padding is X's zero point.
///
/// Channels: as for Conv, with W's zero points. C may be cut where X or W has one zero point that is
/// known: that operand is masked, be it constant or not.
struct ConvInteger: Operator {
  private static let convolution = IntegerConvolution(
    form: ConvolutionForm(x: 0, w: 1, bias: 4), xZeroPoint: 2, wZeroPoint: 3)
  let signature = Signature(
    "ConvInteger", opsets: 10...28, operands: 2...4, attributes: IntegerConvolution.attributes)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    [ValueFacts(.int32, try Self.convolution.resultShape(call))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Self.convolution.relate(call, each: [3], single: [2], &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    Self.convolution.form.adapt(call, to: cut)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let sums = try Self.convolution.sums(call, operands, shape: shape)
    return [Tensor(wrapping: sums, to: .int32, shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { Self.convolution.form.macs(call) }
}
