import PrunecGraphIR
import PrunecTensors

/// The normalisations of a sum, onnxruntime's own: SkipLayerNormalization and, without means and shifts,
/// SkipSimplifiedLayerNormalization. With `S = X + skip + bias`,
///
///     Y = (S - mean of S) / sqrt(variance of S + epsilon) * gamma + beta
///     Y = S / sqrt(mean of S^2 + epsilon) * gamma
///
/// over the last axis of `X [..., H]`; skip may lack leading axes, gamma, beta and bias are vectors `[H]`. The
/// second and third result are what is subtracted and the factor, `[..., 1]`, the fourth is S.
///
/// Channels: every axis goes with itself but the last, which is pinned: what is normalised is a sum that no
/// mask can reach.
struct SkipNormalization: Operator {
  let signature: Signature
  private let hasMean: Bool
  /// The places of the vectors; `nil` for what the operator does not have.
  private let (gamma, beta, bias): (Int, Int?, Int)

  private init(_ type: String, hasMean: Bool) {
    signature = Signature(
      type, domain: Signature.runtimeDomain, opsets: 1...1, operands: 3...(hasMean ? 5 : 4),
      results: 1...4, attributes: ["epsilon": .float(1e-12)])
    self.hasMean = hasMean
    (gamma, beta, bias) = (2, hasMean ? 3 : nil, hasMean ? 4 : 3)
  }

  static let all = [
    SkipNormalization("SkipLayerNormalization", hasMean: true),
    SkipNormalization("SkipSimplifiedLayerNormalization", hasMean: false),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, 3, 4)
    try call.requireSameType(0, 1)
    _ = try call.requiredFloat("epsilon")
    if let shape = call.shape(0) {
      guard let last = shape.last else { throw call.malformed("X is a scalar") }
      for index in gamma...bias { try call.requireVector(index, of: last.fixedExtent) }
      if let skip = call.shape(1) {
        guard skip.count <= shape.count,
          zip(skip.reversed(), shape.reversed()).allSatisfy({ own, other in
            own.fixedExtent == 1 || own.fixedExtent == nil || other.fixedExtent == nil
              || own.fixedExtent == other.fixedExtent
          })
        else { throw call.malformed("skip does not broadcast to X") }
      }
    }
    let whole = ValueFacts(call.operand(0)?.type)
    let statistics = ValueFacts(.float32, call.shape(0).map { $0.dropLast() + [.fixed(1)] })
    return call.forResults([whole, statistics, statistics, whole])
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count else { return }
    Broadcasting.relate(call, operands: 0..<call.operands.count, &relations)
    relations.pin(.operand(0, axis: rank - 1), because: "a sum is normalised over it")
    guard call.results.count > 3, call.results[3].shape != nil, call.hasAllRanks else { return }
    for axis in 0..<rank { relations.equal(.result(3, axis: axis), .operand(0, axis: axis)) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = operands[0]!
    func vector(_ index: Int?) -> [Float]? {
      index.flatMap { $0 < operands.count ? operands[$0]?.floats : nil }
    }
    let width = x.shape.last!
    var sums = x.floats
    let skip = operands[1]!
    let (skipped, offsets) = (skip.floats, Broadcasting.offsets(of: skip.shape, in: x.shape))
    let addends = vector(bias)
    for index in sums.indices {
      sums[index] += skipped[offsets[index]] + (addends?[index % width] ?? 0)
    }
    let epsilon = call.float("epsilon")!
    let (scales, shifts) = (vector(gamma)!, vector(beta))
    var y = sums
    var (means, factors): ([Float], [Float]) = ([], [])
    for start in stride(from: 0, to: sums.count, by: max(width, 1)) {
      let (mean, factor) = statistics(sums[start..<(start + width)], epsilon)
      means.append(Float(mean))
      factors.append(Float(factor))
      for index in start..<(start + width) {
        let standard = Float((Double(sums[index]) - mean) * factor)
        y[index] = standard * scales[index - start] + (shifts?[index - start] ?? 0)
      }
    }
    let rows = Array(x.shape.dropLast()) + [1]
    if width == 0 { means = [Float](repeating: 0, count: rows.elementCount) }
    if width == 0 { factors = means }
    let results = [
      Tensor(rounding: y, to: x.elementType, shape: x.shape), Tensor(means, shape: rows),
      Tensor(factors, shape: rows), Tensor(rounding: sums, to: x.elementType, shape: x.shape),
    ]
    return Array(results.prefix(resolved.results.count))
  }

  /// What is subtracted of a row's elements, and what they are then multiplied with.
  private func statistics(_ row: ArraySlice<Float>, _ epsilon: Float) -> (Double, Double) {
    guard !hasMean else {
      return row.withUnsafeBufferPointer {
        let statistics = Statistics($0, epsilon: epsilon)
        return (statistics.mean, statistics.inverseDeviation)
      }
    }
    let squares = row.reduce(0) { $0 + Double($1) * Double($1) }
    return (0, 1 / (squares / Double(row.count) + Double(epsilon)).squareRoot())
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
