import PrunecGraphIR
import PrunecTensors

/// InstanceNormalization (ONNX opset 7 to 28): `Y = (X - mean) / sqrt(variance + epsilon) * scale
/// + B`, the statistics being those of each channel of each image; `X`, `Y [N, C, D1 ... Dn]`,
/// `scale`, `B [C]`.
///
/// Channels: axis 0 of scale and B is the channel axis, and each channel stands by itself. The
/// spatial axes are normalised over: where a reshape makes groups of channels of them, positions in
/// every group can be cut.
package struct InstanceNormalization: Operator {
  package let signature = Signature(
    "InstanceNormalization", operands: 3...3, attributes: ["epsilon": .float(1e-5)])

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2)
    _ = try call.requiredFloat("epsilon")
    if let shape = call.shape(0) {
      guard shape.count >= 3 else { throw call.malformed("X has \(shape.count) axes") }
      try call.requireVector(1, of: shape[1].fixedExtent)
      try call.requireVector(2, of: shape[1].fixedExtent)
    }
    return [ValueFacts(call.elementType(0), call.shape(0))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let rank = call.shape(0)?.count else { return }
    relations.equal(.operand(0, axis: 0), .result(axis: 0))
    relations.equal(.operand(0, axis: 1), .result(axis: 1))
    relations.equal(.operand(1, axis: 0), .result(axis: 1))
    relations.equal(.operand(2, axis: 0), .result(axis: 1))
    for axis in 2..<rank {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
      relations.normalize(over: .operand(0, axis: axis))
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let y = Statistics.normalize(
      x, groups: x.shape[1], epsilon: call.float("epsilon")!, scale: operands[1]!.floats,
      bias: operands[2]!.floats)
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension InstanceNormalization: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .normalization(
      NormalizationComputation(
        statistics: .groups(call.operand(0)!.fixedShape![1]), epsilon: call.float("epsilon")!,
        scale: 1, bias: 2))
  }
}
