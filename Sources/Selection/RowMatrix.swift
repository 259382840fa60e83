import LinearAlgebra

/// The rows of a layer's weight, one per output channel, with the bias as a last column.
public struct RowMatrix: Sendable {
  public let rows: Int
  public let columns: Int
  /// Row-major elements.
  public private(set) var elements: [Float]

  /// Brings `weight` into rows along `axis`. `bias`, if given, has one element a row.
  public init(_ weight: Tensor, axis: Int, bias: Tensor?) {
    let (outer, inner) = (
      weight.shape[..<axis].reduce(1, *), weight.shape[(axis + 1)...].reduce(1, *)
    )
    let rows = weight.shape[axis]
    let columns = outer * inner + (bias == nil ? 0 : 1)
    let source = weight.floats
    self.rows = rows
    self.columns = columns
    if axis == 0, bias == nil {
      elements = source
      return
    }
    let biases = bias?.floats
    elements = [Float](unsafeUninitializedCapacity: rows * columns) { target, count in
      source.withUnsafeBufferPointer { source in
        for row in 0..<rows {
          for block in 0..<outer {
            let from = (block * rows + row) * inner
            let to = row * columns + block * inner
            for offset in 0..<inner { target[to + offset] = source[from + offset] }
          }
          if let biases { target[row * columns + columns - 1] = biases[row] }
        }
      }
      count = rows * columns
    }
  }

  /// Calls `body` with one row.
  @inline(__always)
  func withRow<R>(_ row: Int, _ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    elements.withUnsafeBufferPointer { all in
      body(UnsafeBufferPointer(rebasing: all[(row * columns)..<((row + 1) * columns)]))
    }
  }

  /// The sum of magnitudes of each row.
  public var absoluteSums: [Float] {
    (0..<rows).map { row in withRow(row) { $0.reduce(0) { $0 + abs($1) } } }
  }

  /// The Euclidean norm of each row.
  public var norms: [Float] {
    (0..<rows).map { row in withRow(row) { Self.dot($0, $0).squareRoot() } }
  }

  /// For each row the sum of its Euclidean distances to all rows.
  public var distanceSums: [Float] {
    var sums = [Double](repeating: 0, count: rows)
    for a in 0..<rows {
      for b in (a + 1)..<max(rows, a + 1) {
        let distance = Double(withRow(a) { x in withRow(b) { y in Self.squaredDistance(x, y) } })
          .squareRoot()
        sums[a] += distance
        sums[b] += distance
      }
    }
    return sums.map(Float.init)
  }

  /// The inner products of all pairs of rows, `[rows, rows]`.
  public var gram: [Float] { LinearAlgebra.gram(of: elements, rows: rows, columns: columns) }

  // Sixteen partial sums: enough for the compiler to use vectors, which one running sum forbids.
  private static func dot(_ x: UnsafeBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>) -> Float
  {
    var lanes = SIMD16<Float>()
    let whole = x.count & ~15
    for start in stride(from: 0, to: whole, by: 16) {
      let a = UnsafeRawPointer(x.baseAddress! + start).loadUnaligned(as: SIMD16<Float>.self)
      let b = UnsafeRawPointer(y.baseAddress! + start).loadUnaligned(as: SIMD16<Float>.self)
      lanes.addProduct(a, b)
    }
    var sum = lanes.sum()
    for index in whole..<x.count { sum += x[index] * y[index] }
    return sum
  }

  private static func squaredDistance(
    _ x: UnsafeBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>
  ) -> Float {
    var lanes = SIMD16<Float>()
    let whole = x.count & ~15
    for start in stride(from: 0, to: whole, by: 16) {
      let a = UnsafeRawPointer(x.baseAddress! + start).loadUnaligned(as: SIMD16<Float>.self)
      let b = UnsafeRawPointer(y.baseAddress! + start).loadUnaligned(as: SIMD16<Float>.self)
      let difference = a - b
      lanes.addProduct(difference, difference)
    }
    var sum = lanes.sum()
    for index in whole..<x.count { sum += (x[index] - y[index]) * (x[index] - y[index]) }
    return sum
  }
}
