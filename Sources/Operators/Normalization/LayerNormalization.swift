import PrunecGraphIR
import PrunecTensors

/// LayerNormalization (ONNX opset 17 to 28, before that onnxruntime's): `Y = (X - Mean) * InvStdDev * Scale + B` with
/// `Mean` and `InvStdDev = 1 / sqrt(variance + epsilon)` over the axes from `axis` on, kept with
/// extent one; `X`, `Y [d0 ... dn]`, `Mean`, `InvStdDev [d0 ... d(axis-1), 1 ... 1]`, of the type
/// that `stash_type` names. `Scale` and the optional `B` broadcast to X.
///
/// Channels: every axis of X is that of Y, and of Scale and B where they are not stretched. A single
/// normalised axis may be cut; the statistics are then over what stays, and nothing else changes.
package struct LayerNormalization: Operator {
  package let signature = Signature(
    "LayerNormalization", operands: 2...3, results: 1...3,
    attributes: ["axis": .int(-1), "epsilon": .float(1e-5), "stash_type": .int(1)])

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2)
    _ = try call.requiredFloat("epsilon")
    let stash = Int32(exactly: try call.requiredInt("stash_type")).flatMap(ElementType.init)
    guard let stash, stash.isFloatingPoint else {
      throw call.malformed("stash_type is no floating point type")
    }
    guard let shape = call.shape(0) else {
      let statistics = ValueFacts(stash, nil)
      return call.forResults([ValueFacts(call.elementType(0), nil), statistics, statistics])
    }
    let axis = try TrailingNormalization.firstAxis(call, rank: shape.count, scales: 1..<3)
    let ones = [Dimension](repeating: .fixed(1), count: shape.count - axis)
    let statistics = ValueFacts(stash, shape[..<axis] + ones)
    return call.forResults([ValueFacts(call.elementType(0), shape), statistics, statistics])
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    TrailingNormalization.relate(call, operands: 0..<(call.operand(2) == nil ? 2 : 3), &relations)
    guard call.hasAllRanks, let rank = call.shape(0)?.count, let given = call.int("axis") else {
      return
    }
    for result in 1..<max(1, call.results.count) {
      for axis in 0..<(given < 0 ? given + rank : given) {
        relations.equal(.result(result, axis: axis), .operand(0, axis: axis))
      }
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let (x, scale) = (operands[0]!, operands[1]!)
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let (rows, count) = (x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *))
    let epsilon = call.float("epsilon")!
    let scales = scale.floats
    let scaleOffsets = Broadcasting.offsets(of: scale.shape, in: x.shape)
    var y = [Float](repeating: 0, count: x.count)
    var (means, deviations): ([Float], [Float]) = ([], [])
    x.floats.withUnsafeBufferPointer { source in
      for row in 0..<rows {
        let range = (row * count)..<((row + 1) * count)
        let statistics = Statistics(
          UnsafeBufferPointer(rebasing: source[range]), epsilon: epsilon)
        for index in range {
          let standard = (Double(source[index]) - statistics.mean) * statistics.inverseDeviation
          y[index] = Float(standard) * scales[scaleOffsets[index]]
        }
        means.append(Float(statistics.mean))
        deviations.append(Float(statistics.inverseDeviation))
      }
    }
    if operands.count > 2, let bias = operands[2] {
      let addends = bias.floats
      for (index, offset) in Broadcasting.offsets(of: bias.shape, in: x.shape).enumerated() {
        y[index] += addends[offset]
      }
    }
    let result = Tensor(rounding: y, to: x.elementType, shape: x.shape)
    return [result]
      + zip(resolved.results.dropFirst(), [means, deviations]).map { facts, values in
        Tensor(rounding: values, to: facts.elementType!, shape: facts.fixedShape!)
      }
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension LayerNormalization: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.results.count == 1 else { return nil }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: call.shape(0)!.count)
    return .normalization(
      NormalizationComputation(
        statistics: .trailing(axis: axis, keepsMean: false), epsilon: call.float("epsilon")!,
        scale: 1, bias: call.operand(2) == nil ? nil : 2))
  }
}
