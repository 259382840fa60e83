/// MatMul (ONNX opset 7 to 28): the product of matrices, `Y[..., i, j] = sum over k of
/// A[..., i, k] B[..., k, j]`, as numpy's `matmul`: `A [..., M, K]`, `B [..., K, N]`,
/// `Y [..., M, N]`, where the leading batch axes broadcast. An A of one axis is a row, a B of one
/// axis a column, and Y lacks the axis that was added.
///
/// Channels: K is summed over and belongs to both operands; M and N go with the last axes of Y, and
/// a batch axis with that of Y unless it is stretched.
public struct MatMul: Operator {
  public let signature = Signature("MatMul", operands: 2...2)

  public init() {}

  public func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, or: .wideIntegers)
    try call.requireSameType(0, 1)
    let type = call.elementType(0) ?? call.elementType(1)
    guard let a = call.shape(0), let b = call.shape(1) else { return [ValueFacts(type, nil)] }
    guard a.count >= 1, b.count >= 1 else { throw call.malformed("an operand is a scalar") }
    let inner = b[Self.innerAxis(ofB: b.count)]
    if let k = a.last!.fixedExtent, let other = inner.fixedExtent, k != other {
      throw call.malformed("A has \(k) columns and B has \(other) rows")
    }
    let batch = try Broadcasting.shape(of: [a.dropLast(2), b.dropLast(2)].map(Array.init), call)
    let rows = a.count > 1 ? [a[a.count - 2]] : []
    let columns = b.count > 1 ? [b[b.count - 1]] : []
    return [ValueFacts(type, batch! + rows + columns)]
  }

  /// The axis of B that is summed over.
  private static func innerAxis(ofB rank: Int) -> Int { max(0, rank - 2) }

  public func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let a = call.shape(0), let b = call.shape(1), let y = call.results.first?.shape else {
      return
    }
    let (innerOfA, innerOfB) = (a.count - 1, Self.innerAxis(ofB: b.count))
    relations.equal(.operand(0, axis: innerOfA), .operand(1, axis: innerOfB))
    relations.sum(over: .operand(0, axis: innerOfA))
    relations.sum(over: .operand(1, axis: innerOfB))
    let matrixAxes = (a.count > 1 ? 1 : 0) + (b.count > 1 ? 1 : 0)
    if a.count > 1 {
      relations.equal(.operand(0, axis: a.count - 2), .result(axis: y.count - matrixAxes))
    }
    if b.count > 1 {
      relations.equal(.operand(1, axis: b.count - 1), .result(axis: y.count - 1))
    }
    let batch = y.count - matrixAxes
    for (operand, shape) in [a, b].enumerated() {
      let lead = batch - max(0, shape.count - 2)
      for axis in 0..<max(0, shape.count - 2) {
        // A stretched axis of extent one leaves the axis of Y free.
        guard let extent = shape[axis].fixedExtent else {
          relations.pin(.result(axis: lead + axis), because: "an operand's extent is not known")
          continue
        }
        guard extent == y[lead + axis].fixedExtent else { continue }
        relations.equal(.operand(operand, axis: axis), .result(axis: lead + axis))
      }
    }
  }

  public func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  public func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    return [Self.product(operands[0]!, operands[1]!).reshaped(shape)]
  }

  /// The product of tensors whose shapes fit, with both axes of every matrix.
  static func product(_ a: Tensor, _ b: Tensor) -> Tensor {
    let plan = Plan(a.shape, b.shape)
    let shape = plan.shape
    guard a.elementType.isFloatingPoint else {
      var y = [Int](repeating: 0, count: shape.elementCount)
      a.integers.withUnsafeBufferPointer { left in
        b.integers.withUnsafeBufferPointer { right in
          plan.run(left, right, into: &y, MatrixProduct.accumulate)
        }
      }
      return Tensor(wrapping: y, to: a.elementType, shape: shape)
    }
    var y = [Float](repeating: 0, count: shape.elementCount)
    a.withFloats { left in
      b.withFloats { right in plan.run(left, right, into: &y, MatrixProduct.accumulate) }
    }
    return Tensor(rounding: y, to: a.elementType, shape: shape)
  }

  /// Which pairs of matrices are multiplied.
  private struct Plan {
    let (m, k, n): (Int, Int, Int)
    /// For each matrix of Y, which of A's and which of B's it is the product of.
    let (left, right): ([Int], [Int])
    let shape: [Int]

    init(_ a: [Int], _ b: [Int]) {
      m = a.count > 1 ? a[a.count - 2] : 1
      k = a[a.count - 1]
      n = b.count > 1 ? b[b.count - 1] : 1
      let batches = [Array(a.dropLast(2)), Array(b.dropLast(2))]
      let batch = Broadcasting.shape(of: batches)
      shape = batch + [m, n]
      left = Broadcasting.offsets(of: batches[0], in: batch)
      right = Broadcasting.offsets(of: batches[1], in: batch)
    }

    func run<Element>(
      _ a: UnsafeBufferPointer<Element>, _ b: UnsafeBufferPointer<Element>,
      into y: inout [Element],
      _ multiply: (
        UnsafePointer<Element>, UnsafePointer<Element>, UnsafeMutablePointer<Element>, Int, Int, Int
      ) -> Void
    ) {
      guard !y.isEmpty, k > 0 else { return }
      y.withUnsafeMutableBufferPointer { y in
        for index in left.indices {
          multiply(
            a.baseAddress! + left[index] * m * k, b.baseAddress! + right[index] * k * n,
            y.baseAddress! + index * m * n, m, k, n)
        }
      }
    }
  }

  public func macs(_ call: Invocation) -> Int {
    guard let inner = call.shape(0)?.last, let y = call.results.first?.shape else { return 0 }
    return (y + [inner]).reduce(1) { $0 &* $1.nominalExtent }
  }
}
