import PrunecGraphIR

/// What products of stacks of matrices have in common, which differ in where their factors are among the
/// operands: `A [..., M, K]`, `B [..., K, N]`, `Y [..., M, N]`, as numpy's `matmul`.
struct MatrixProductForm {
  /// The places of the operands.
  let a: Int
  let b: Int

  /// The shape of Y; `nil` where a rank is unknown.
  func resultShape(_ call: Invocation) throws(CompileError) -> [Dimension]? {
    guard let a = call.shape(a), let b = call.shape(b) else { return nil }
    guard a.count >= 1, b.count >= 1 else { throw call.malformed("an operand is a scalar") }
    let inner = b[Self.innerAxis(ofB: b.count)]
    if let k = a.last!.fixedExtent, let other = inner.fixedExtent, k != other {
      throw call.malformed("A has \(k) columns and B has \(other) rows")
    }
    let batch = try Broadcasting.shape(of: [a.dropLast(2), b.dropLast(2)].map(Array.init), call)
    let rows = a.count > 1 ? [a[a.count - 2]] : []
    let columns = b.count > 1 ? [b[b.count - 1]] : []
    return batch! + rows + columns
  }

  /// The axis of B that is summed over.
  private static func innerAxis(ofB rank: Int) -> Int { max(0, rank - 2) }

  /// The axes of A and B that are summed over; `nil` where a rank is unknown.
  func innerAxes(_ call: Invocation) -> (AxisReference, AxisReference)? {
    guard let a = call.shape(a), let b = call.shape(b), call.results.first?.shape != nil else {
      return nil
    }
    return (
      .operand(self.a, axis: a.count - 1), .operand(self.b, axis: Self.innerAxis(ofB: b.count))
    )
  }

  /// Ties the axes that are not summed over to those of Y.
  func relateOuterAxes(_ call: Invocation, _ relations: inout Relations) {
    guard let a = call.shape(a), let b = call.shape(b), let y = call.results.first?.shape else {
      return
    }
    let matrixAxes = (a.count > 1 ? 1 : 0) + (b.count > 1 ? 1 : 0)
    if a.count > 1 {
      relations.equal(.operand(self.a, axis: a.count - 2), .result(axis: y.count - matrixAxes))
    }
    if b.count > 1 {
      relations.equal(.operand(self.b, axis: b.count - 1), .result(axis: y.count - 1))
    }
    let batch = y.count - matrixAxes
    for (operand, shape) in [(self.a, a), (self.b, b)] {
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

  func macs(_ call: Invocation) -> Int {
    guard let inner = call.shape(a)?.last, let y = call.results.first?.shape else { return 0 }
    return (y + [inner]).reduce(1) { $0 &* $1.nominalExtent }
  }
}

/// Which pairs of matrices a product of stacks of matrices multiplies.
struct MatrixProductPlan {
  let (m, k, n): (Int, Int, Int)
  /// For each matrix of Y, which of A's and which of B's it is the product of.
  let (left, right): ([Int], [Int])
  /// The shape of Y with both axes of every matrix.
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
