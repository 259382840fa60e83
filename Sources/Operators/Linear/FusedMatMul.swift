import PrunecGraphIR
import PrunecTensors

/// FusedMatMul (onnxruntime's own): `Y = alpha A' B'` as MatMul has it, where A' is A with its last two axes
/// exchanged by `transA`, after `transBatchA` has moved the first axis to just before the last; B' likewise.
///
/// Channels: as for MatMul, with the axes where they are stored.
struct FusedMatMul: Operator {
  let signature = Signature(
    "FusedMatMul", domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...2,
    attributes: [
      "alpha": .float(1), "transA": .int(0), "transB": .int(0), "transBatchA": .int(0),
      "transBatchB": .int(0),
    ])

  private static let form = MatrixProductForm(a: 0, b: 1)

  /// For each axis of A' (operand 0) or B' (operand 1), the axis of A or B that it is.
  private func permutation(_ call: Invocation, _ operand: Int, rank: Int) -> [Int] {
    var axes = Array(0..<rank)
    guard rank >= 2 else { return axes }
    let name = operand == 0 ? "A" : "B"
    if call.int("transBatch\(name)") ?? 0 != 0 {
      axes = Array(axes[1..<(rank - 1)]) + [0, rank - 1]
    }
    if call.int("trans\(name)") ?? 0 != 0 { axes.swapAt(rank - 1, rank - 2) }
    return axes
  }

  /// The product of A' and B' as plain MatMul would see it; `nil` where a rank is unknown.
  private func plain(_ call: Invocation) -> Invocation? {
    var operands: [ValueFacts] = []
    for index in 0..<2 {
      guard let shape = call.shape(index) else { return nil }
      let axes = permutation(call, index, rank: shape.count)
      operands.append(ValueFacts(call.elementType(index), axes.map { shape[$0] }))
    }
    return Invocation(
      signature: call.signature, opset: call.opset, attributes: call.attributes, operands: operands,
      results: call.results, location: call.location)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1)
    try call.requireSameType(0, 1)
    _ = try call.requiredFloat("alpha")
    for name in ["transA", "transB", "transBatchA", "transBatchB"] {
      _ = try call.requiredInt(name)
    }
    let type = call.elementType(0) ?? call.elementType(1)
    guard let plain = plain(call) else { return [ValueFacts(type, nil)] }
    return [ValueFacts(type, try Self.form.resultShape(plain))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let plain = plain(call), let (a, b) = Self.form.innerAxes(plain) else { return }
    func stored(_ axis: AxisReference) -> AxisReference {
      guard case .operand(let index) = axis.slot, let rank = call.shape(index)?.count else {
        return axis
      }
      return .operand(index, axis: permutation(call, index, rank: rank)[axis.axis])
    }
    relations.equal(stored(a), stored(b))
    relations.sum(over: stored(a))
    relations.sum(over: stored(b))
    var outer = Relations()
    Self.form.relateOuterAxes(plain, &outer)
    for relation in outer.list {
      switch relation {
      case .equal(let a, let b): relations.equal(stored(a), stored(b))
      case .pinned(let axis, let reason): relations.pin(stored(axis), because: reason)
      default: preconditionFailure("a matrix product has no such relations")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let factors = operands.prefix(2).enumerated().map { index, operand in
      operand!.transposed(permutation(call, index, rank: operand!.rank))
    }
    let product = MatMul.product(factors[0], factors[1]).reshaped(shape)
    let alpha = call.float("alpha")!
    return [alpha == 1 ? product : product.mapFloats { $0 * alpha }]
  }

  func macs(_ call: Invocation) -> Int { plain(call).map { Self.form.macs($0) } ?? 0 }
}

extension FusedMatMul: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard try call.requiredInt("transBatchA") == 0, try call.requiredInt("transBatchB") == 0,
      call.shape(0)!.count > 1, call.shape(1)!.count > 1
    else { return nil }
    return .matrixProduct(
      MatrixComputation(
        transposesA: try call.requiredInt("transA") != 0,
        transposesB: try call.requiredInt("transB") != 0, alpha: try call.requiredFloat("alpha")))
  }
}
