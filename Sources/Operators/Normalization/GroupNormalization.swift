import PrunecGraphIR
import PrunecTensors

/// GroupNormalization (ONNX opset 18 to 28): `Y = (X - mean) / sqrt(variance + epsilon) * scale
/// + bias`, the statistics being those of each of `num_groups` groups of neighbouring channels of
/// each image; `X`, `Y [N, C, D1 ... Dn]`, `scale`, `bias [C]`, or, before opset 21, one for each
/// group.
///
/// Channels: the channel axis is the product of the groups and a position in the group. Either may be
/// cut: whole groups, and `num_groups` with them, or the same positions of every group, whose
/// statistics are then over what stays. The spatial axes are normalised over.
package struct GroupNormalization: Operator {
  package let signature = Signature(
    "GroupNormalization", opsets: 18...28, operands: 3...3,
    attributes: ["epsilon": .float(1e-5), "num_groups": nil, "stash_type": .int(1)])

  package init() {}

  private func isScaledByGroup(_ call: Invocation) -> Bool { call.opset < 21 }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2)
    _ = try call.requiredFloat("epsilon")
    let groups = try call.requiredInt("num_groups")
    guard groups > 0 else { throw call.malformed("num_groups is \(groups)") }
    if let shape = call.shape(0) {
      guard shape.count >= 2 else { throw call.malformed("X has \(shape.count) axes") }
      let channels = shape[1].fixedExtent
      guard (channels ?? 0) % groups == 0 else {
        throw call.malformed("\(channels!) channels do not divide into \(groups) groups")
      }
      for index in 1..<3 {
        try call.requireVector(index, of: isScaledByGroup(call) ? groups : channels)
      }
    }
    return [ValueFacts(call.elementType(0), call.shape(0))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let shape = call.shape(0), let channels = shape[1].fixedExtent else {
      return
    }
    let count = call.int("num_groups")!
    let groups = relations.virtualAxis(extent: count)
    let positions = relations.virtualAxis(extent: channels / count)
    relations.equal(.operand(0, axis: 0), .result(axis: 0))
    relations.equal(.operand(0, axis: 1), .result(axis: 1))
    relations.split(.operand(0, axis: 1), into: [groups, positions])
    for index in 1..<3 {
      relations.equal(
        .operand(index, axis: 0), isScaledByGroup(call) ? groups : .operand(0, axis: 1))
    }
    relations.normalize(over: .operand(0, axis: 1), blocks: count)
    for axis in 2..<max(2, shape.count) {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
      relations.normalize(over: .operand(0, axis: axis))
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let kept = cut[.operand(0, axis: 1)], let channels = call.shape(0)?[1].fixedExtent,
      let groups = call.int("num_groups"), channels >= groups
    else { return [] }
    let left = Set(kept.map { $0 / (channels / groups) }).count
    return left == groups ? [] : [.attribute(Attribute("num_groups", left))]
  }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let groups = call.int("num_groups")!
    let perGroup = isScaledByGroup(call) ? x.shape[1] / groups : 1
    func perChannel(_ tensor: Tensor) -> [Float] {
      tensor.floats.flatMap { [Float](repeating: $0, count: perGroup) }
    }
    let y = Statistics.normalize(
      x, groups: groups, epsilon: call.float("epsilon")!, scale: perChannel(operands[1]!),
      bias: perChannel(operands[2]!))
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension GroupNormalization: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard !isScaledByGroup(call) else { return nil }
    return .normalization(
      NormalizationComputation(
        statistics: .groups(call.int("num_groups")!), epsilon: call.float("epsilon")!, scale: 1,
        bias: 2))
  }
}
