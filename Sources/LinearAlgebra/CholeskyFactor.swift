import CPrunecOpenBLAS

/// The Cholesky factorization of a symmetric positive definite `A [n, n]`, which solves equations with A and with its leading
/// blocks. By LAPACK; matrices are row-major.
package struct CholeskyFactor: Sendable {
  private let factor: [Double]
  private let n: Int

  /// `nil` where A is not positive definite, or not finite. Only the lower triangle is read.
  package init?(_ a: consuming [Double], n: Int) {
    precondition(a.count == n * n && LinearAlgebra.isPrepared)
    var matrix = a
    var (order, info) = (Int32(n), Int32(0))
    if n > 0 {
      // A row-major lower triangle is the upper one of a column-major matrix.
      dpotrf_("U", &order, &matrix, &order, &info)
    }
    // OpenBLAS takes what is not a number for positive.
    guard info == 0, (0..<n).allSatisfy({ matrix[$0 * n + $0].isFinite }) else { return nil }
    (factor, self.n) = (matrix, n)
  }

  /// Solves `A[..<k, ..<k] X = B` for right-hand sides that are the rows of `b [count, k]`; gives the solutions as rows.
  package func solve(_ b: [Double], leading k: Int, count: Int) -> [Double] {
    precondition(b.count == count * k && k <= n)
    guard k > 0, count > 0 else { return b }
    var (solutions, size, sides, order) = (b, Int32(k), Int32(count), Int32(n))
    var (rows, info) = (Int32(k), Int32(0))
    dpotrs_("U", &size, &sides, factor, &order, &solutions, &rows, &info)
    return solutions
  }

  /// `L^-1 B [n, columns]` for `B [n, columns]`, where A = L L^T.
  package func halfSolve(_ b: [Double], columns: Int) -> [Double] {
    precondition(b.count == n * columns)
    var solution = b
    guard n > 0, columns > 0 else { return solution }
    cblas_dtrsm(
      CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, Int32(n), Int32(columns), 1,
      factor, Int32(n), &solution, Int32(columns))
    return solution
  }
}
