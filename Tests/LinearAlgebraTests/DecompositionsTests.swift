import PrunecLinearAlgebra
import Testing

@Suite struct DecompositionsTests {
  private struct Generator: RandomNumberGenerator {
    var state: UInt64 = 1
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  private func random(_ count: Int) -> [Double] {
    var generator = Generator()
    return (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
  }

  /// `A B`, by the definition.
  private func product(_ a: [Double], _ b: [Double], _ m: Int, _ k: Int, _ n: Int) -> [Double] {
    (0..<(m * n)).map { index in
      (0..<k).reduce(0) { $0 + a[index / n * k + $1] * b[$1 * n + index % n] }
    }
  }

  private func transposed(_ a: [Double], rows: Int) -> [Double] {
    let columns = a.count / rows
    return (0..<a.count).map { a[$0 % rows * columns + $0 / rows] }
  }

  private func symmetric(_ n: Int) -> [Double] {
    let a = random(n * n)
    var result = product(a, transposed(a, rows: n), n, n, n)
    for index in 0..<n { result[index * n + index] += 0.1 }
    return result
  }

  private func areClose(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-9 }
  }

  private func identity(_ n: Int) -> [Double] { (0..<(n * n)).map { $0 / n == $0 % n ? 1 : 0 } }

  @Test(arguments: [1, 2, 7, 40])
  func anInverseTimesItsMatrixIsTheIdentity(n: Int) throws {
    let a = symmetric(n)
    let inverse = try #require(LinearAlgebra.inverse(a, n: n))
    let unit = product(a, inverse, n, n, n)
    #expect(zip(unit, identity(n)).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(areClose(inverse, transposed(inverse, rows: n)))
  }

  @Test func whatIsNotPositiveDefiniteHasNoInverse() {
    #expect(LinearAlgebra.inverse([1, 2, 2, 1], n: 2) == nil)
    #expect(LinearAlgebra.inverse([0], n: 1) == nil)
    #expect(LinearAlgebra.inverse([.nan], n: 1) == nil)
    #expect(LinearAlgebra.inverse([], n: 0) == [])
  }

  @Test(arguments: [1, 2, 7, 40])
  func eigenvectorsAreOrthonormalAndScaled(n: Int) throws {
    let a = symmetric(n)
    let eigen = try #require(LinearAlgebra.eigen(a, n: n))
    #expect(eigen.values == eigen.values.sorted())
    let v = eigen.vectors
    #expect(areClose(product(v, transposed(v, rows: n), n, n, n), identity(n)))
    let scaled = (0..<(n * n)).map { v[$0] * eigen.values[$0 / n] }
    #expect(areClose(product(v, a, n, n, n), scaled))
  }

  @Test(arguments: [false, true], [false, true])
  func productsOfTransposes(_ first: Bool, _ second: Bool) {
    let (m, k, n) = (3, 4, 5)
    let (a, b) = (random(m * k), random(k * n))
    let expected = product(a, b, m, k, n)
    let left = first ? transposed(a, rows: m) : a
    let right = second ? transposed(b, rows: k) : b
    let found = LinearAlgebra.product(
      left, right, m: m, k: k, n: n, transposesA: first, transposesB: second)
    #expect(areClose(found, expected))
    var rest = expected
    LinearAlgebra.subtractProduct(left, b, m: m, k: k, n: n, transposesA: first, from: &rest)
    #expect(rest.allSatisfy { abs($0) < 1e-12 })
  }

  /// The equations of every leading block, by one factorization.
  @Test func aFactorSolvesForLeadingBlocks() throws {
    let a = symmetric(5)
    let factor = try #require(CholeskyFactor(a, n: 5))
    for k in 0...5 {
      let block = (0..<(k * k)).map { a[$0 / k * 5 + $0 % k] }
      let sides = random(2 * k)
      let solutions = factor.solve(sides, leading: k, count: 2)
      #expect(areClose(product(solutions, block, 2, k, k), sides))
    }
    #expect(CholeskyFactor([1, 2, 2, 1], n: 2) == nil)
    #expect(CholeskyFactor([.nan], n: 1) == nil)
  }

  /// Products of random matrices with so many columns and rows between have that rank.
  @Test(arguments: [(6, 9, 3), (9, 6, 3), (5, 5, 5), (7, 7, 1), (4, 30, 4), (3, 3, 0)])
  func ranksOfProducts(_ rows: Int, _ columns: Int, _ rank: Int) {
    let both = random(rank * (rows + columns))
    let matrix = product(
      Array(both[..<(rows * rank)]), Array(both[(rows * rank)...]), rows, rank, columns)
    #expect(
      LinearAlgebra.rank(of: matrix.map(Float.init), rows: rows, columns: columns) == rank)
  }

  @Test func ranksOfWhatIsNoNumber() {
    #expect(LinearAlgebra.rank(of: [1, .nan, 0, 1], rows: 2, columns: 2) == nil)
    #expect(LinearAlgebra.rank(of: [], rows: 0, columns: 3) == 0)
  }
}
