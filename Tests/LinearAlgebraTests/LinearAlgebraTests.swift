import PrunecLinearAlgebra
import Testing

@Suite struct LinearAlgebraTests {
  @Test func gramHoldsTheInnerProductsOfRows() {
    let gram = LinearAlgebra.gram(of: [1, 2, 3, 4, 5, 6], rows: 2, columns: 3)
    #expect(gram == [14, 32, 32, 77])
  }

  @Test func gramOfNoColumnsIsZero() {
    #expect(LinearAlgebra.gram(of: [], rows: 2, columns: 0) == [0, 0, 0, 0])
  }

  @Test func productIsRowMajor() {
    let product = LinearAlgebra.product([1, 2, 3, 4, 5, 6], [1, 0, 0, 1, 1, 1], m: 2, k: 3, n: 2)
    #expect(product == [4, 5, 10, 11])
  }

  @Test func solveGivesOneRowForEachRightHandSide() throws {
    let solutions = try #require(
      LinearAlgebra.solve([4, 1, 1, 3], [1, 2, 5, 4], n: 2, count: 2))
    let expected = [1.0 / 11, 7.0 / 11, 1, 1]
    for (solution, value) in zip(solutions, expected) { #expect(abs(solution - value) < 1e-12) }
  }

  @Test func whatIsNotPositiveDefiniteIsNotSolved() {
    #expect(LinearAlgebra.solve([1, 2, 2, 1], [1, 1], n: 2, count: 1) == nil)
  }

  @Test func submatricesInAnyOrder() {
    let a: [Double] = [0, 1, 2, 10, 11, 12]
    func part(_ rows: [Int]?, _ columns: [Int]?) -> [Double] {
      LinearAlgebra.submatrix(of: a, width: 3, rows: rows, columns: columns)
    }
    #expect(part([1, 0], [2, 0]) == [12, 10, 2, 0])
    #expect(part([1], nil) == [10, 11, 12])
    #expect(part(nil, [1]) == [1, 11])
    #expect(part([], [1]) == [] && part([0], []) == [])
  }
}
