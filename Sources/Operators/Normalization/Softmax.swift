import Glibc
import PrunecGraphIR
import PrunecTensors

/// The functions that turn the elements along an axis into shares of one: Softmax
/// `Y = exp(X) / sum of exp(X)`, LogSoftmax, its logarithm, and Hardmax, one at the first greatest
/// element and zero elsewhere. They differ in nothing but the formula.
///
/// ONNX opset 7 to 28. `X`, `Y [d0 ... dn]`. Since opset 13 along `axis` (the last by default);
/// before, over all axes from `axis` on (1 by default), taken together.
///
/// Channels: the axes of Y are those of X. An axis that the sum runs over may be cut: the shares are
/// then of what stays, as when the rest is minus infinity.
package struct Softmax: DiscontinuousOperator {
  package let signature: Signature
  /// Replaces one run of elements by its shares.
  private let formula: @Sendable (UnsafeMutableBufferPointer<Float>) -> Void

  private init(
    _ type: String, _ formula: @escaping @Sendable (UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    // The default of `axis` depends on the opset; it is filled in where it is read.
    signature = Signature(type, operands: 1...1, attributes: ["axis": nil])
    self.formula = formula
  }

  /// One operator for each formula.
  package static let all: [Softmax] = [
    Softmax("Hardmax") { run in
      guard let greatest = run.max() else { return }
      let first = run.firstIndex(of: greatest)
      for index in run.indices { run[index] = index == first ? 1 : 0 }
    },
    Softmax("LogSoftmax") { run in
      // Subtracting the greatest element changes nothing and keeps the exponentials in range.
      let greatest = run.max() ?? 0
      var sum = 0.0
      for element in run { sum += exp(Double(element - greatest)) }
      let shift = Float(log(sum))
      for index in run.indices { run[index] = run[index] - greatest - shift }
    },
    Softmax("Softmax") { run in
      let greatest = run.max() ?? 0
      var sum = 0.0
      for index in run.indices {
        run[index] = expf(run[index] - greatest)
        sum += Double(run[index])
      }
      let factor = Float(1 / sum)
      for index in run.indices { run[index] *= factor }
    },
  ]

  /// The axes over which the shares sum to one.
  private func axes(_ call: Invocation, rank: Int) throws(CompileError) -> Range<Int> {
    if call.has("axis") { _ = try call.requiredInt("axis") }
    let given = call.int("axis") ?? (call.opset >= 13 ? -1 : 1)
    // Coerced into a matrix, a tensor may also be one column: the axis may lie just behind the last.
    if call.opset < 13, given == rank { return rank..<rank }
    let axis = try call.normalizedAxis(given, rank: rank)
    return axis..<(call.opset >= 13 ? axis + 1 : rank)
  }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    if let rank = call.shape(0)?.count { _ = try axes(call, rank: rank) }
    return [ValueFacts(call.elementType(0), call.shape(0))]
  }

  package func isDiscontinuous(_ call: Invocation) -> Bool {
    signature.operation.type == "Hardmax" && call.readsComputedFractions
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let summed = try? axes(call, rank: rank) else { return }
    for axis in 0..<rank {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
      if summed.contains(axis) {
        relations.gather(over: .operand(0, axis: axis), ignoring: .lowest)
      }
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let axes = try axes(call, rank: x.rank)
    let lanes = AxisLanes(x.shape, axes: axes)
    var y = x.floats
    var run = [Float](repeating: 0, count: lanes.count)
    y.withUnsafeMutableBufferPointer { y in
      for start in lanes.starts {
        if lanes.stride == 1 {
          formula(UnsafeMutableBufferPointer(rebasing: y[start..<(start + lanes.count)]))
          continue
        }
        for index in 0..<lanes.count { run[index] = y[start + index * lanes.stride] }
        run.withUnsafeMutableBufferPointer { formula($0) }
        for index in 0..<lanes.count { y[start + index * lanes.stride] = run[index] }
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension Softmax: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let shape = call.operand(0)!.fixedShape!
    let type = signature.operation.type
    let axes = try axes(call, rank: shape.count)
    // Axes taken together are one where all but one of them are of extent one.
    let wide = axes.filter { shape[$0] != 1 }
    guard type != "Hardmax", wide.count <= 1, let axis = wide.first ?? axes.last else { return nil }
    return .softmax(axis: axis, isLogarithm: type == "LogSoftmax")
  }
}
