import PrunecGraphIR
import PrunecTensors

/// BatchNormalization (ONNX opset 7 to 28): `Y = (X - mean) / sqrt(var + epsilon) * scale + B`, with
/// `X`, `Y [N, C, D1 ... Dn]` and `scale`, `B`, `mean`, `var [C]`; with `spatial` 0 (opset 7 and 8)
/// `[C, D1 ... Dn]`. An X of one axis has one channel.
///
/// Training (`training_mode` since opset 14, the presence of further results before) takes the
/// statistics from X, over all axes but that of the channels, and gives
/// `running_mean = mean * momentum + mean(X) * (1 - momentum)` and `running_var` likewise. Such a node is
/// not cut, and before opset 14 not evaluated.
///
/// Channels: axis 0 of the parameters is the channel axis, and everything is computed element by
/// element.
package struct BatchNormalization: Operator {
  package let signature = Signature(
    "BatchNormalization", operands: 5...5, results: 1...5,
    attributes: [
      "epsilon": .float(1e-5), "momentum": .float(0.9), "spatial": .int(1),
      "training_mode": .int(0),
    ])

  package init() {}

  private func isTraining(_ call: Invocation) -> Bool {
    call.opset >= 14 ? call.int("training_mode") != 0 : call.results.count > 1
  }

  private func isSpatial(_ call: Invocation) -> Bool { call.opset >= 9 || call.int("spatial") != 0 }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, 3, 4)
    _ = try call.requiredFloat("epsilon")
    for name in ["spatial", "training_mode"] { _ = try call.requiredInt(name) }
    var channels: [Dimension]?
    if let shape = call.shape(0) {
      guard shape.count >= 1 else { throw call.malformed("X is a scalar") }
      let perElement = shape.count == 1 ? [.fixed(1)] : Array(shape[1...])
      let expected = isSpatial(call) ? [perElement[0]] : perElement
      for index in 1..<5 {
        guard let parameter = call.shape(index) else { continue }
        guard parameter.count == expected.count else {
          throw call.malformed("operand \(index) has \(parameter.count) axes")
        }
        for (extent, other) in zip(parameter, expected) {
          guard let extent = extent.fixedExtent, let other = other.fixedExtent else { continue }
          guard extent == other else {
            throw call.malformed("operand \(index) has extent \(extent) where X has \(other)")
          }
        }
      }
      channels = expected
    }
    let statistics = ValueFacts(call.elementType(3), channels)
    return call.forResults(
      [ValueFacts(call.elementType(0), call.shape(0))]
        + [ValueFacts](repeating: statistics, count: 4))
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard !isTraining(call), call.hasAllRanks, let shape = call.shape(0) else { return }
    for axis in shape.indices {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
    for axis in 1..<max(1, isSpatial(call) ? min(2, shape.count) : shape.count) {
      for parameter in 1..<5 {
        relations.equal(.operand(parameter, axis: axis - 1), .result(axis: axis))
      }
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = operands[0]!
    let given = (mean: operands[3]!.floats, variance: operands[4]!.floats)
    guard isTraining(call) else { return [normalized(call, operands, given)] }
    guard call.opset >= 14 else {
      throw CompileError(.unsupported, "batch normalisation is in training", at: call.location)
    }
    let own = statistics(of: x, channels: given.mean.count)
    let momentum = call.float("momentum")!
    func running(_ old: [Float], _ new: [Float], _ type: ElementType) -> Tensor {
      Tensor(
        rounding: zip(old, new).map { $0 * momentum + $1 * (1 - momentum) }, to: type,
        shape: [old.count])
    }
    let results = [
      normalized(call, operands, own),
      running(given.mean, own.mean, operands[3]!.elementType),
      running(given.variance, own.variance, operands[4]!.elementType),
    ]
    return Array(results.prefix(resolved.results.count))
  }

  /// How the elements of X lie: for each item of the batch and each channel so many, one after the other.
  private func planes(of x: Tensor, channels: Int) -> (batch: Int, size: Int) {
    // Without `spatial` each position has parameters of its own, as if it were a channel.
    let batch = x.rank > 1 ? x.shape[0] : 1
    return (batch, channels == 0 || batch == 0 ? 0 : x.count / batch / channels)
  }

  /// Mean and variance of each channel.
  private func statistics(
    of x: Tensor, channels: Int
  ) -> (mean: [Float], variance: [Float]) {
    let elements = x.floats
    let (batch, size) = planes(of: x, channels: channels)
    func means(_ term: (Float, _ channel: Int) -> Double) -> [Double] {
      (0..<channels).map { channel in
        let sum = (0..<batch).reduce(0.0) { sum, item in
          let start = (item * channels + channel) * size
          return elements[start..<(start + size)].reduce(sum) { $0 + term($1, channel) }
        }
        return sum / Double(batch * size)
      }
    }
    let mean = means { element, _ in Double(element) }
    let variance = means { element, channel in
      (Double(element) - mean[channel]) * (Double(element) - mean[channel])
    }
    return (mean.map(Float.init), variance.map(Float.init))
  }

  private func normalized(
    _ call: Invocation, _ operands: [Tensor?], _ statistics: (mean: [Float], variance: [Float])
  ) -> Tensor {
    let x = operands[0]!
    let (scale, bias) = (operands[1]!.floats, operands[2]!.floats)
    let epsilon = call.float("epsilon")!
    let factors = zip(scale, statistics.variance).map { $0 / ($1 + epsilon).squareRoot() }
    let (batch, count) = planes(of: x, channels: scale.count)
    var y = x.floats
    y.withUnsafeMutableBufferPointer { y in
      for plane in 0..<(batch * scale.count) {
        let channel = plane % scale.count
        let (center, factor, shift) = (statistics.mean[channel], factors[channel], bias[channel])
        let start = y.baseAddress! + plane * count
        for index in 0..<count { start[index] = (start[index] - center) * factor + shift }
      }
    }
    return Tensor(rounding: y, to: x.elementType, shape: x.shape)
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension BatchNormalization: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard !isTraining(call), isSpatial(call), call.shape(0)!.count > 1 else { return nil }
    return .normalization(
      NormalizationComputation(
        statistics: .given(mean: 3, variance: 4), epsilon: call.float("epsilon")!, scale: 1,
        bias: 2))
  }
}
