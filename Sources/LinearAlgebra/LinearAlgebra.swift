/// The dense linear algebra that passes need, by OpenBLAS. All matrices are row-major.
///
/// Sums are taken in the same order whatever the machine's load and number of cores, and the same model gives the same bytes: OpenBLAS
/// computes on one thread, and large matrices are divided into tiles of one size, which all threads compute.
package enum LinearAlgebra {
  /// `A Aᵀ [rows, rows]` for `A [rows, columns]`: the Gram matrix of A's rows.
  package static func gram(of a: [Float], rows: Int, columns: Int) -> [Float] {
    precondition(a.count == rows * columns)
    guard rows > 0, columns > 0 else { return [Float](repeating: 0, count: rows * rows) }
    var result = [Float](repeating: 0, count: rows * rows)
    OpenBLAS.loaded.ssyrk(
      .rowMajor, .upper, .asItIs, Int32(rows), Int32(columns), 1, a, Int32(columns), 0,
      &result, Int32(rows))
    for row in 0..<rows {
      for column in 0..<row { result[row * rows + column] = result[column * rows + row] }
    }
    return result
  }

  /// `A B [m, n]` for `A [m, k]`, `B [k, n]`.
  package static func product(_ a: [Float], _ b: [Float], m: Int, k: Int, n: Int) -> [Float] {
    precondition(a.count == m * k && b.count == k * n)
    var result = [Float](repeating: 0, count: m * n)
    guard m > 0, k > 0, n > 0 else { return result }
    OpenBLAS.loaded.sgemm(
      .rowMajor, .asItIs, .asItIs, Int32(m), Int32(n), Int32(k), 1, a, Int32(k), b,
      Int32(n), 0, &result, Int32(n))
    return result
  }

  /// Solves `A X = B` for a symmetric positive definite `A [n, n]` and right-hand sides that are the
  /// rows of `b [count, n]`; gives the solutions as rows. `nil` where A is not positive definite.
  package static func solve(
    _ a: [Double], _ b: [Double], n: Int, count: Int
  ) -> [Double]? {
    precondition(a.count == n * n && b.count == count * n)
    guard n > 0, count > 0 else { return b }
    return CholeskyFactor(a, n: n)?.solve(b, leading: n, count: count)
  }
}
