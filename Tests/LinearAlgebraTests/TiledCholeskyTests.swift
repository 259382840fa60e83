import Testing

@testable import PrunecLinearAlgebra

/// Matrices of more than one tile, the last of them not whole.
@Suite struct TiledCholeskyTests {
  private static let n = 3 * 256 + 37

  /// `A = B B^T / n + I`, whose eigenvalues lie between 1 and about 2.5.
  private func definite() -> [Double] {
    var state: UInt64 = 7
    let b = (0..<(Self.n * Self.n)).map { _ -> Double in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 33) / Double(1 << 31) - 0.5
    }
    var a = LinearAlgebra.product(b, b, m: Self.n, k: Self.n, n: Self.n, transposesB: true)
    for index in a.indices { a[index] /= Double(Self.n) }
    for index in 0..<Self.n { a[index * Self.n + index] += 1 }
    return a
  }

  private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test func anInverseTimesItsMatrixIsTheIdentity() throws {
    let (a, n) = (definite(), Self.n)
    #expect(TiledCholesky.isWorthwhile(n: n))
    let inverse = try #require(LinearAlgebra.inverse(a, n: n))
    let unit = LinearAlgebra.product(a, inverse, m: n, k: n, n: n)
    let identity = (0..<(n * n)).map { $0 / n == $0 % n ? 1.0 : 0 }
    #expect(largestDifference(unit, identity) < 1e-12)
  }

  @Test(arguments: [Self.n, 300]) func equationsOfLeadingBlocksAreSolved(k: Int) throws {
    let (a, n, count) = (definite(), Self.n, 70)
    let sides = Array(a[..<(count * k)])
    let solutions = try #require(CholeskyFactor(a, n: n)).solve(sides, leading: k, count: count)
    let block = LinearAlgebra.submatrix(
      of: a, width: n, rows: Array(0..<k), columns: Array(0..<k))
    let again = LinearAlgebra.product(solutions, block, m: count, k: k, n: k)
    #expect(largestDifference(again, sides) < 1e-12)
  }

  @Test func aGramMatrixIsSubtracted() {
    let (a, n, rows) = (definite(), Self.n, 50)
    let factor = Array(a[..<(rows * n)])
    var sums = a
    LinearAlgebra.subtractGram(
      ofColumnsOf: factor, rows: rows, columns: n, fromUpperTriangleOf: &sums)
    LinearAlgebra.mirrorUpperTriangle(of: &sums, n: n)
    var expected = a
    LinearAlgebra.subtractProduct(
      factor, factor, m: n, k: rows, n: n, transposesA: true, from: &expected)
    #expect(largestDifference(sums, expected) < 1e-12)
  }

  @Test func whatIsNotPositiveDefiniteHasNoFactor() {
    var a = definite()
    a[a.count - 1] = -1
    #expect(CholeskyFactor(a, n: Self.n) == nil)
    #expect(LinearAlgebra.inverse(a, n: Self.n) == nil)
    a[a.count - 1] = .nan
    #expect(CholeskyFactor(a, n: Self.n) == nil)
    #expect(LinearAlgebra.inverse(a, n: Self.n) == nil)
  }
}
