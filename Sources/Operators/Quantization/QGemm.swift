import PrunecGraphIR
import PrunecTensors

/// QGemm (of onnxruntime's own operators, version 1): the product of quantised matrices
/// `Y = alpha a_scale b_scale ((A' - a_zero_point) (B' - b_zero_point) + C)`, where `A' [M, K]` is A, or its transpose
/// with `transA`, `B' [K, N]` likewise, and `C`, in 32 bits, broadcasts to `Y [M, N]`. With `y_zero_point` it is
/// quantised by that and `y_scale`, and else float32. B may have one scale and zero point for each column.
///
/// Channels: as for Gemm, with the columns of B's scales and zero points. K may be cut where A or B has one zero
/// point that is known: that operand is masked, be it constant or not.
struct QGemm: Operator {
  let signature = Signature(
    "QGemm", domain: Signature.runtimeDomain, opsets: 1...1, operands: 6...9,
    attributes: ["alpha": .float(1), "transA": .int(0), "transB": .int(0)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try ZeroPoints.requireBytes(call, 0, 2, 3, 5, 8)
    try call.requireSameType(0, 2)
    try call.requireSameType(3, 5)
    try call.requireFloatingPoint(1, 4, 7)
    try ZeroPoints.requireOne(call, 1, 2, 7, 8)
    if let type = call.elementType(6), type != .int32 {
      throw call.malformed("C is of type \(type.name)")
    }
    guard call.operand(8) == nil || call.operand(7) != nil else {
      throw call.malformed("the result has a zero point and no scale")
    }
    // Shapes are those of Gemm, of whatever numbers.
    let shapes = [0, 3, 6].map { index in
      call.operand(index).map { ValueFacts(.float32, $0.shape) }
    }
    _ = try call.requiredFloat("alpha")
    let gemm = Gemm()
    let twin = call.floatTwin(gemm.signature, opset: 13, operands: shapes)
    let shape = try gemm.inferFacts(twin)[0].shape!
    for index in [4, 5] {
      guard let own = call.shape(index), !own.allSatisfy({ $0.fixedExtent == 1 }) else { continue }
      guard own.count == 1, own[0].fixedExtent ?? 1 == shape[1].fixedExtent ?? 1 else {
        throw call.malformed("operand \(index) has not one element for each column")
      }
    }
    let type = call.operand(8) == nil ? ElementType.float32 : call.elementType(8)
    return [ValueFacts(type, shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, [1, 2, 7, 8].allSatisfy({ ZeroPoints.isSingle(call, $0) }),
      [4, 5].allSatisfy({ call.shape($0)!.allSatisfy { $0.fixedExtent != nil } })
    else { return }
    let axes = Gemm.Axes(call)
    let inner = AxisReference.operand(0, axis: axes.inner)
    let innerOfB = AxisReference.operand(3, axis: axes.innerOfB)
    relations.equal(inner, innerOfB)
    ZeroPoints.relateSum(over: (inner, 2), (innerOfB, 5), call, &relations)
    relations.equal(.operand(0, axis: axes.rows), .result(axis: 0))
    relations.equal(.operand(3, axis: axes.columns), .result(axis: 1))
    for index in [4, 5] where !ZeroPoints.isSingle(call, index) {
      relations.equal(.operand(index, axis: 0), .operand(3, axis: axes.columns))
    }
    if call.operand(6) != nil { Broadcasting.relate(call, operands: 6..<7, &relations) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let facts = try resolve(call, on: operands).results[0]
    let shape = facts.fixedShape!
    let axes = Gemm.Axes(call)
    let a = axes.rows == 0 ? operands[0]! : operands[0]!.transposed([1, 0])
    let b = axes.columns == 1 ? operands[3]! : operands[3]!.transposed([1, 0])
    var sums = FactorParameter.products(
      FactorParameter.shifted(
        a, by: operands[2], FactorParameter(index: 2, factor: 0, isByRow: true)),
      a.shape,
      FactorParameter.shifted(
        b, by: operands[5], FactorParameter(index: 5, factor: 3, isByRow: false)),
      b.shape, count: shape.elementCount)
    func operand(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    if let addends = operand(6)?.stretched(to: shape).integers {
      for index in sums.indices { sums[index] += addends[index] }
    }
    let factor = try call.requiredFloat("alpha") * operands[1]!.floats[0]
    let columns = operands[4]!.floats
    let divisor = operand(7)?.floats[0] ?? 1
    let isQuantized = operand(8) != nil
    let scales = sums.indices.map { index in
      let scale = factor * columns[columns.count == 1 ? 0 : index % shape[1]]
      return isQuantized ? scale / divisor : scale
    }
    guard let zeroPoint = operand(8) else {
      return [Tensor(zip(sums, scales).map { Float($0) * $1 }, shape: shape)]
    }
    return [
      ZeroPoints.requantize(
        sums, by: scales, to: zeroPoint.elementType, zero: zeroPoint.integers[0], shape: shape)
    ]
  }

  func macs(_ call: Invocation) -> Int {
    guard let a = call.shape(0), a.count == 2, let y = call.results.first?.shape else { return 0 }
    return (y + [a[Gemm.Axes(call).inner]]).reduce(1) { $0 &* $1.nominalExtent }
  }
}
