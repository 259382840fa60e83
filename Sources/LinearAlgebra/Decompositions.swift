/// Decompositions of small dense matrices, by LAPACK. All matrices are row-major.
extension LinearAlgebra {
  /// The inverse of a symmetric positive definite `A [n, n]`; `nil` where A is not positive definite, or not finite.
  package static func inverse(_ a: [Double], n: Int) -> [Double]? {
    precondition(a.count == n * n)
    guard n > 0 else { return a }
    var matrix = a
    guard factor(&matrix, n: n) else { return nil }
    if TiledCholesky.isWorthwhile(n: n) {
      matrix = TiledCholesky.inverse(ofFactor: matrix, n: n)
    } else {
      var (order, info) = (Int32(n), Int32(0))
      OpenBLAS.loaded.dpotri("L", &order, &matrix, &order, &info)
      guard info == 0 else { return nil }
    }
    mirrorUpperTriangle(of: &matrix, n: n)
    return matrix.allSatisfy(\.isFinite) ? matrix : nil
  }

  /// Replaces the upper triangle of a symmetric positive definite `A [n, n]` by that of R, where A = R^T R; false where A is not positive
  /// definite.
  static func factor(_ a: inout [Double], n: Int) -> Bool {
    guard n > 0 else { return true }
    if TiledCholesky.isWorthwhile(n: n) { return TiledCholesky.factor(&a, n: n) }
    var (order, info) = (Int32(n), Int32(0))
    // A row-major upper triangle is the lower one of a column-major matrix.
    OpenBLAS.loaded.dpotrf("L", &order, &a, &order, &info)
    return info == 0
  }

  /// The eigenvalues of a symmetric `A [n, n]`, increasing, and their eigenvectors as rows `[n, n]`; `nil` where the
  /// iteration does not converge.
  package static func eigen(_ a: [Double], n: Int) -> (values: [Double], vectors: [Double])? {
    precondition(a.count == n * n)
    guard n > 0 else { return ([], []) }
    var (matrix, values, order, info) = (a, [Double](repeating: 0, count: n), Int32(n), Int32(0))
    var (size, integers) = (Int32(-1), Int32(-1))
    var (work, integerWork) = ([0.0], [Int32(0)])
    OpenBLAS.loaded.dsyevd(
      "V", "U", &order, &matrix, &order, &values, &work, &size, &integerWork, &integers, &info)
    (size, integers) = (Int32(work[0]), integerWork[0])
    work = [Double](repeating: 0, count: Int(size))
    integerWork = [Int32](repeating: 0, count: Int(integers))
    OpenBLAS.loaded.dsyevd(
      "V", "U", &order, &matrix, &order, &values, &work, &size, &integerWork, &integers, &info)
    return info == 0 ? (values, matrix) : nil
  }

  /// The number of the singular values of `A [rows, columns]` that are above rounding errors of the largest, `max(rows, columns)` times
  /// the unit of single precision (as NumPy's `matrix_rank`); `nil` where A is not finite.
  package static func rank(of a: [Float], rows: Int, columns: Int) -> Int? {
    precondition(a.count == rows * columns)
    guard rows > 0, columns > 0 else { return 0 }
    guard a.allSatisfy(\.isFinite) else { return nil }
    // Row-major rows are the columns of a column-major matrix, which has the same singular values.
    var (matrix, m, n, info) = (a, Int32(columns), Int32(rows), Int32(0))
    var leading = m
    var values = [Float](repeating: 0, count: min(rows, columns))
    var integers = [Int32](repeating: 0, count: 8 * values.count)
    // No vectors are asked for, and nothing is written there.
    var (left, right, one, alone) = (Float(0), Float(0), Int32(1), Int32(1))
    var (work, size) = ([Float(0)], Int32(-1))
    for _ in 0..<2 {
      OpenBLAS.loaded.sgesdd(
        "N", &m, &n, &matrix, &leading, &values, &left, &one, &right, &alone, &work, &size,
        &integers, &info)
      if size < 0 {
        size = Int32(work[0])
        work = [Float](repeating: 0, count: Int(size))
      }
    }
    guard info == 0 else { return nil }
    let least = values[0] * Float(max(rows, columns)) * Float.ulpOfOne
    return values.count { $0 > least }
  }

  /// `A B [m, n]` for `A [m, k]`, `B [k, n]`, or their transposes.
  package static func product(
    _ a: [Double], _ b: [Double], m: Int, k: Int, n: Int, transposesA: Bool = false,
    transposesB: Bool = false
  ) -> [Double] {
    precondition(a.count == m * k && b.count == k * n)
    var result = [Double](repeating: 0, count: m * n)
    guard m > 0, k > 0, n > 0 else { return result }
    OpenBLAS.loaded.dgemm(
      .rowMajor, transposesA ? .transposed : .asItIs,
      transposesB ? .transposed : .asItIs,
      Int32(m), Int32(n), Int32(k), 1, a, Int32(transposesA ? m : k), b, Int32(transposesB ? k : n),
      0,
      &result, Int32(n))
    return result
  }

  /// Subtracts `A B [m, n]` for `A [m, k]` or its transpose, `B [k, n]`, from `c`.
  package static func subtractProduct(
    _ a: [Double], _ b: [Double], m: Int, k: Int, n: Int, transposesA: Bool = false,
    from c: inout [Double]
  ) {
    precondition(a.count == m * k && b.count == k * n && c.count == m * n)
    guard m > 0, k > 0, n > 0 else { return }
    OpenBLAS.loaded.dgemm(
      .rowMajor, transposesA ? .transposed : .asItIs, .asItIs, Int32(m), Int32(n),
      Int32(k), -1, a, Int32(transposesA ? m : k), b, Int32(n), 1, &c, Int32(n))
  }

  /// Subtracts `A^T A [columns, columns]` for `A [rows, columns]` from the upper triangle of `c`; the lower one does not count.
  package static func subtractGram(
    ofColumnsOf a: [Double], rows: Int, columns: Int, fromUpperTriangleOf c: inout [Double]
  ) {
    precondition(a.count == rows * columns && c.count == columns * columns)
    guard rows > 0, columns > 0 else { return }
    guard !TiledCholesky.isWorthwhile(n: columns) else {
      return TiledCholesky.subtractGram(ofColumnsOf: a, rows: rows, n: columns, from: &c)
    }
    OpenBLAS.loaded.dsyrk(
      .rowMajor, .upper, .transposed, Int32(columns), Int32(rows), -1, a, Int32(columns), 1,
      &c, Int32(columns))
  }

  /// Copies the upper triangle of `a [n, n]` to the lower one.
  package static func mirrorUpperTriangle(of a: inout [Double], n: Int) {
    a.withUnsafeMutableBufferPointer { a in
      for row in 0..<n {
        for column in 0..<row { a[row * n + column] = a[column * n + row] }
      }
    }
  }
}
