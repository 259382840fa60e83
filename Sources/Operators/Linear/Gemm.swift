import PrunecGraphIR
import PrunecTensors

/// Gemm (ONNX opset 7 to 28): `Y = alpha A' B' + beta C`, where `A' [M, K]` is A, or its transpose
/// with `transA`, `B' [K, N]` likewise, `C` broadcasts to `Y [M, N]` (optional since opset 11).
///
/// Channels: K is summed over and belongs to both factors; M and N go with the rows and columns of
/// Y, and with the axes of C that are not stretched.
package struct Gemm: Operator {
  package let signature = Signature(
    "Gemm", operands: 2...3,
    attributes: ["alpha": .float(1), "beta": .float(1), "transA": .int(0), "transB": .int(0)])

  package init() {}

  /// Where the axes of the product are in A and B as they are stored.
  struct Axes {
    let (rows, inner): (Int, Int)
    let (innerOfB, columns): (Int, Int)

    init(_ call: Invocation) {
      (rows, inner) = (call.int("transA") ?? 0) != 0 ? (1, 0) : (0, 1)
      (innerOfB, columns) = (call.int("transB") ?? 0) != 0 ? (1, 0) : (0, 1)
    }
  }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, or: .wideIntegers)
    try call.requireSameType(0, 1, 2)
    for name in ["transA", "transB"] { _ = try call.requiredInt(name) }
    for name in ["alpha", "beta"] { _ = try call.requiredFloat(name) }
    let axes = Axes(call)
    let (a, b) = (call.shape(0), call.shape(1))
    guard a?.count ?? 2 == 2, b?.count ?? 2 == 2 else {
      throw call.malformed("A and B must be matrices")
    }
    if let k = a?[axes.inner].fixedExtent, let other = b?[axes.innerOfB].fixedExtent, k != other {
      throw call.malformed("A has \(k) columns and B has \(other) rows")
    }
    let result = [a?[axes.rows] ?? .unknown, b?[axes.columns] ?? .unknown]
    if let c = call.shape(2) {
      // C may not stretch Y: its extents are one or those of Y.
      guard c.count <= 2 else { throw call.malformed("C has \(c.count) axes") }
      for (extent, other) in zip(c.reversed(), result.reversed()) {
        guard let extent = extent.fixedExtent, let other = other.fixedExtent else { continue }
        guard extent == 1 || extent == other else {
          throw call.malformed("C does not broadcast: \(extent) to \(other)")
        }
      }
    }
    return [ValueFacts(call.elementType(0) ?? call.elementType(1), result)]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks else { return }
    let axes = Axes(call)
    relations.equal(.operand(0, axis: axes.inner), .operand(1, axis: axes.innerOfB))
    relations.sum(over: .operand(0, axis: axes.inner))
    relations.sum(over: .operand(1, axis: axes.innerOfB))
    relations.equal(.operand(0, axis: axes.rows), .result(axis: 0))
    relations.equal(.operand(1, axis: axes.columns), .result(axis: 1))
    if call.operand(2) != nil { Broadcasting.relate(call, operands: 2..<3, &relations) }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let (a, b, axes) = (operands[0]!, operands[1]!, Axes(call))
    guard a.elementType.isFloatingPoint else {
      throw CompileError(.unsupported, "an integer Gemm is not evaluated", at: call.location)
    }
    let (m, k, n) = (shape[0], a.shape[axes.inner], shape[1])
    let (alpha, beta) = (call.float("alpha")!, call.float("beta")!)
    var left =
      axes.rows == 0 ? a.floats : MatrixProduct.transpose(a.floats, rows: k, columns: m)
    if alpha != 1 { for index in left.indices { left[index] *= alpha } }

    var y = [Float](repeating: 0, count: m * n)
    if beta != 0, operands.count > 2, let c = operands[2] {
      let addends = c.floats
      for (index, offset) in Broadcasting.offsets(of: c.shape, in: shape).enumerated() {
        y[index] = beta * addends[offset]
      }
    }
    if !y.isEmpty, k > 0 {
      let multiply =
        axes.columns == 1 ? MatrixProduct.accumulate : MatrixProduct.accumulateTransposed
      left.withUnsafeBufferPointer { left in
        b.withFloats { right in
          y.withUnsafeMutableBufferPointer { y in
            multiply(left.baseAddress!, right.baseAddress!, y.baseAddress!, m, k, n)
          }
        }
      }
    }
    return [Tensor(rounding: y, to: a.elementType, shape: shape)]
  }

  package func macs(_ call: Invocation) -> Int {
    guard let a = call.shape(0), a.count == 2, let y = call.results.first?.shape else { return 0 }
    return (y + [a[Axes(call).inner]]).reduce(1) { $0 &* $1.nominalExtent }
  }
}

extension Gemm: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint else { return nil }
    return .matrixProduct(
      MatrixComputation(
        transposesA: call.int("transA") != 0, transposesB: call.int("transB") != 0,
        alpha: call.float("alpha")!, beta: call.float("beta")!))
  }
}
