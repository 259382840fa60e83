import PrunecGraphIR
import PrunecTensors

/// RMSNormalization (ONNX opset 23 to 28): `Y = X / sqrt(mean of X^2 + epsilon) * Scale`, the mean
/// over the axes from `axis` on; `X`, `Y [d0 ... dn]`, and `Scale` broadcasts to X. onnxruntime has it in all
/// opsets as SimplifiedLayerNormalization, with `1 / sqrt(mean of X^2 + epsilon)` as a second result.
///
/// Channels: every axis of X is that of Y, and of Scale where it is not stretched. A single
/// normalised axis may be cut; the mean is then over what stays.
package struct RMSNormalization: Operator {
  package let signature: Signature

  private init(_ type: String, opsets: ClosedRange<Int>, results: ClosedRange<Int>) {
    signature = Signature(
      type, opsets: opsets, operands: 2...2, results: results,
      attributes: ["axis": .int(-1), "epsilon": .float(1e-5), "stash_type": .int(1)])
  }

  /// The operator under both of its names.
  package static let all = [
    RMSNormalization("RMSNormalization", opsets: 23...28, results: 1...1),
    RMSNormalization("SimplifiedLayerNormalization", opsets: 7...28, results: 1...2),
  ]

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1)
    _ = try call.requiredFloat("epsilon")
    // Y has the type of Scale, which may differ from that of X.
    let type = call.elementType(1) ?? call.elementType(0)
    guard let shape = call.shape(0) else {
      return call.forResults([ValueFacts(type, nil), ValueFacts(.float32, nil)])
    }
    let axis = try TrailingNormalization.firstAxis(call, rank: shape.count, scales: 1..<2)
    let ones = [Dimension](repeating: .fixed(1), count: shape.count - axis)
    return call.forResults([
      ValueFacts(type, shape), ValueFacts(.float32, shape[..<axis] + ones),
    ])
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    TrailingNormalization.relate(call, operands: 0..<2, &relations)
    guard call.results.count > 1, let factors = call.results[1].shape, call.hasAllRanks,
      let given = call.int("axis")
    else { return }
    for axis in 0..<(given < 0 ? given + factors.count : given) {
      relations.equal(.result(1, axis: axis), .operand(0, axis: axis))
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let type = resolved.results[0].elementType!
    let (x, scale) = (operands[0]!, operands[1]!)
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let (rows, count) = (x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *))
    let epsilon = Double(call.float("epsilon")!)
    let (source, scales) = (x.floats, scale.floats)
    let scaleOffsets = Broadcasting.offsets(of: scale.shape, in: x.shape)
    var y = [Float](repeating: 0, count: x.count)
    var factors: [Float] = []
    for row in 0..<rows {
      let range = (row * count)..<((row + 1) * count)
      var squares = 0.0
      for index in range { squares += Double(source[index]) * Double(source[index]) }
      let factor = 1 / (squares / Double(count) + epsilon).squareRoot()
      factors.append(Float(factor))
      for index in range {
        y[index] = Float(Double(source[index]) * factor) * scales[scaleOffsets[index]]
      }
    }
    return [Tensor(rounding: y, to: type, shape: x.shape)]
      + resolved.results.dropFirst().map { Tensor(factors, shape: $0.fixedShape!) }
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension RMSNormalization: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.results.count == 1 else { return nil }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: call.shape(0)!.count)
    return .normalization(
      NormalizationComputation(
        statistics: .trailing(axis: axis, keepsMean: true), epsilon: call.float("epsilon")!,
        scale: 1, bias: nil))
  }
}
