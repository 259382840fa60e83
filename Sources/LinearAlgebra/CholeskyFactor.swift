import Dispatch

/// The Cholesky factorization of a symmetric positive definite `A [n, n]`, which solves equations with A and with its leading
/// blocks. By LAPACK; matrices are row-major.
package struct CholeskyFactor: Sendable {
  /// R in the upper triangle, where A = R^T R.
  private let factor: [Double]
  private let n: Int

  /// `nil` where A is not positive definite, or not finite. Only the upper triangle is read.
  package init?(_ a: consuming [Double], n: Int) {
    precondition(a.count == n * n)
    var matrix = a
    // OpenBLAS takes what is not a number for positive.
    guard LinearAlgebra.factor(&matrix, n: n),
      (0..<n).allSatisfy({ matrix[$0 * n + $0].isFinite })
    else { return nil }
    (factor, self.n) = (matrix, n)
  }

  /// Right-hand sides that are solved for together.
  private static let sidesAtOnce = 64

  /// Solves `A[..<k, ..<k] X = B` for right-hand sides that are the rows of `b [count, k]`; gives the solutions as rows.
  package func solve(_ b: [Double], leading k: Int, count: Int) -> [Double] {
    precondition(b.count == count * k && k <= n)
    guard k > 0, count > 0 else { return b }
    var solutions = b
    solutions.withUnsafeMutableBufferPointer { solutions in
      nonisolated(unsafe) let base = solutions.baseAddress!
      let parts = (count + Self.sidesAtOnce - 1) / Self.sidesAtOnce
      DispatchQueue.concurrentPerform(iterations: parts) { part in
        let first = part * Self.sidesAtOnce
        var (size, sides) = (Int32(k), Int32(min(Self.sidesAtOnce, count - first)))
        var (order, rows, info) = (Int32(n), Int32(k), Int32(0))
        OpenBLAS.loaded.dpotrs("L", &size, &sides, factor, &order, base + first * k, &rows, &info)
      }
    }
    return solutions
  }

  /// `R^-T B [n, columns]` for `B [n, columns]`.
  package func halfSolve(_ b: [Double], columns: Int) -> [Double] {
    precondition(b.count == n * columns)
    var solution = b
    guard n > 0, columns > 0 else { return solution }
    OpenBLAS.loaded.dtrsm(
      .rowMajor, .left, .upper, .transposed, .nonUnit, Int32(n), Int32(columns), 1,
      factor, Int32(n), &solution, Int32(columns))
    return solution
  }
}
