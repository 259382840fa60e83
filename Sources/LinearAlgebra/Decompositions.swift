import COpenBLAS

/// Decompositions of small dense matrices, by LAPACK. All matrices are row-major.
extension LinearAlgebra {
  /// The inverse of a symmetric positive definite `A [n, n]`; `nil` where A is not positive definite.
  public static func inverse(_ a: [Double], n: Int) -> [Double]? {
    precondition(a.count == n * n && isPrepared)
    guard n > 0 else { return a }
    var (matrix, order, info) = (a, Int32(n), Int32(0))
    // A row-major upper triangle is the lower one of a column-major matrix.
    dpotrf_("L", &order, &matrix, &order, &info)
    guard info == 0 else { return nil }
    dpotri_("L", &order, &matrix, &order, &info)
    guard info == 0 else { return nil }
    mirrorUpperTriangle(of: &matrix, n: n)
    return matrix
  }

  /// The eigenvalues of a symmetric `A [n, n]`, increasing, and their eigenvectors as rows `[n, n]`; `nil` where the
  /// iteration does not converge.
  public static func eigen(_ a: [Double], n: Int) -> (values: [Double], vectors: [Double])? {
    precondition(a.count == n * n && isPrepared)
    guard n > 0 else { return ([], []) }
    var (matrix, values, order, info) = (a, [Double](repeating: 0, count: n), Int32(n), Int32(0))
    var (size, integers) = (Int32(-1), Int32(-1))
    var (work, integerWork) = ([0.0], [Int32(0)])
    dsyevd_("V", "U", &order, &matrix, &order, &values, &work, &size, &integerWork, &integers, &info)
    (size, integers) = (Int32(work[0]), integerWork[0])
    work = [Double](repeating: 0, count: Int(size))
    integerWork = [Int32](repeating: 0, count: Int(integers))
    dsyevd_("V", "U", &order, &matrix, &order, &values, &work, &size, &integerWork, &integers, &info)
    return info == 0 ? (values, matrix) : nil
  }

  /// The thin singular value decomposition `A = U diag(s) V^T` of `A [m, n]`, with `k = min(m, n)`: `u [m, k]`, `s` decreasing,
  /// `vTransposed [k, n]`; `nil` where the iteration does not converge.
  public static func singularValues(
    _ a: [Double], m: Int, n: Int
  ) -> (u: [Double], s: [Double], vTransposed: [Double])? {
    precondition(a.count == m * n && isPrepared)
    let k = min(m, n)
    guard k > 0 else { return ([], [], []) }
    // Column-major, A is its transpose `[n, m]`: what LAPACK calls U is V here.
    var (matrix, rows, columns, rank) = (a, Int32(n), Int32(m), Int32(k))
    var s = [Double](repeating: 0, count: k)
    var left = [Double](repeating: 0, count: n * k)
    var right = [Double](repeating: 0, count: k * m)
    var integerWork = [Int32](repeating: 0, count: 8 * k)
    var (work, size, info) = ([0.0], Int32(-1), Int32(0))
    for _ in 0..<2 {
      dgesdd_(
        "S", &rows, &columns, &matrix, &rows, &s, &left, &rows, &right, &rank, &work, &size,
        &integerWork, &info)
      guard size < 0, info == 0 else { break }
      size = Int32(work[0])
      work = [Double](repeating: 0, count: Int(size))
    }
    return info == 0 ? (right, s, left) : nil
  }

  /// `A B [m, n]` for `A [m, k]`, `B [k, n]`, or their transposes.
  public static func product(
    _ a: [Double], _ b: [Double], m: Int, k: Int, n: Int, transposesA: Bool = false,
    transposesB: Bool = false
  ) -> [Double] {
    precondition(a.count == m * k && b.count == k * n && isPrepared)
    var result = [Double](repeating: 0, count: m * n)
    guard m > 0, k > 0, n > 0 else { return result }
    cblas_dgemm(
      CblasRowMajor, transposesA ? CblasTrans : CblasNoTrans, transposesB ? CblasTrans : CblasNoTrans,
      Int32(m), Int32(n), Int32(k), 1, a, Int32(transposesA ? m : k), b, Int32(transposesB ? k : n), 0,
      &result, Int32(n))
    return result
  }

  /// Subtracts `A B [m, n]` for `A [m, k]` or its transpose, `B [k, n]`, from `c`.
  public static func subtractProduct(
    _ a: [Double], _ b: [Double], m: Int, k: Int, n: Int, transposesA: Bool = false,
    from c: inout [Double]
  ) {
    precondition(a.count == m * k && b.count == k * n && c.count == m * n && isPrepared)
    guard m > 0, k > 0, n > 0 else { return }
    cblas_dgemm(
      CblasRowMajor, transposesA ? CblasTrans : CblasNoTrans, CblasNoTrans, Int32(m), Int32(n),
      Int32(k), -1, a, Int32(transposesA ? m : k), b, Int32(n), 1, &c, Int32(n))
  }

  /// `A^T A [k, k]` and `B^T A [m, k]` for rows `A [count, k]` and `B [count, m]` in single precision; of the first the
  /// upper triangle alone.
  public static func moments(
    _ a: [Float], _ b: [Float], count: Int, k: Int, m: Int
  ) -> (second: [Float], cross: [Float]) {
    precondition(a.count == count * k && b.count == count * m && isPrepared)
    var second = [Float](repeating: 0, count: k * k)
    var cross = [Float](repeating: 0, count: m * k)
    guard count > 0, k > 0 else { return (second, cross) }
    cblas_ssyrk(
      CblasRowMajor, CblasUpper, CblasTrans, Int32(k), Int32(count), 1, a, Int32(k), 0, &second,
      Int32(k))
    if m > 0 {
      cblas_sgemm(
        CblasRowMajor, CblasTrans, CblasNoTrans, Int32(m), Int32(k), Int32(count), 1, b, Int32(m), a,
        Int32(k), 0, &cross, Int32(k))
    }
    return (second, cross)
  }

  /// Copies the upper triangle of `a [n, n]` to the lower one.
  public static func mirrorUpperTriangle(of a: inout [Double], n: Int) {
    a.withUnsafeMutableBufferPointer { a in
      for row in 0..<n {
        for column in 0..<row { a[row * n + column] = a[column * n + row] }
      }
    }
  }
}
