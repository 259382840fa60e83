import PrunecGraphIR
import PrunecTensors

/// MeanVarianceNormalization (ONNX opset 9 to 28): `Y = (X - mean) / (sqrt(variance) + 1e-9)`, the
/// statistics being those over `axes`, taken together; `X`, `Y [d0 ... dn]`.
///
/// Channels: the axes of Y are those of X; the normalised ones may be cut.
struct MeanVarianceNormalization: Operator {
  let signature = Signature(
    "MeanVarianceNormalization", opsets: 9...28, operands: 1...1,
    attributes: ["axes": .ints([0, 2, 3])])

  private func axes(_ call: Invocation, rank: Int) throws(CompileError) -> Set<Int> {
    guard let given = call.ints("axes") else { throw call.malformed("'axes' must be integers") }
    return Set(try call.normalizedAxes(given, rank: rank))
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    if let rank = call.shape(0)?.count { _ = try axes(call, rank: rank) }
    return [ValueFacts(call.elementType(0), call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let axes = try? axes(call, rank: rank) else { return }
    for axis in 0..<rank {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
      if axes.contains(axis) { relations.normalize(over: .operand(0, axis: axis)) }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    guard x.count > 0 else { return [x] }
    let axes = try axes(call, rank: x.rank)
    // Every run that is normalised becomes a row.
    let order = x.shape.indices.filter { !axes.contains($0) } + axes.sorted()
    let rows = x.transposed(order)
    let length = axes.reduce(1) { $0 * x.shape[$1] }
    var elements = rows.doubles
    for start in stride(from: 0, to: elements.count, by: length) {
      let run = elements[start..<(start + length)]
      let mean = run.reduce(0, +) / Double(length)
      let variance = run.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(length)
      let deviation = variance.squareRoot() + 1e-9
      for index in start..<(start + length) {
        elements[index] = (elements[index] - mean) / deviation
      }
    }
    let y = Tensor(rounding: elements, to: x.elementType, shape: rows.shape)
    return [y.transposed(order.indices.map { order.firstIndex(of: $0)! })]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
