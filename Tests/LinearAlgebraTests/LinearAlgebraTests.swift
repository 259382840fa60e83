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

  @Test func rowsOfASymmetricMatrixComeFromItsUpperTriangle() {
    let a: [Double] = [1, 2, 3, 0, 4, 5, 0, 0, 6]
    #expect(LinearAlgebra.symmetricRows([2, 0], of: a, width: 3) == [3, 5, 6, 1, 2, 3])
    #expect(LinearAlgebra.symmetricRows([1], of: a, width: 3, columns: [2, 0]) == [5, 2])
  }

  @Test func rowsAndColumnsAreRemovedInPlace() {
    func without(_ rows: [Int], _ columns: [Int]) -> [Double] {
      var a: [Double] = [0, 1, 2, 10, 11, 12, 20, 21, 22]
      LinearAlgebra.remove(rows: rows, columns: columns, from: &a, width: 3)
      return a
    }
    #expect(without([], []) == [0, 1, 2, 10, 11, 12, 20, 21, 22])
    #expect(without([0], []) == [10, 11, 12, 20, 21, 22])
    #expect(without([1], [0, 2]) == [1, 21])
    #expect(without([0, 2], [2]) == [10, 11])
    #expect(without([0, 1, 2], [0, 1, 2]) == [])
  }

  @Test func halfSolutionsMakeTheGramMatrixOfWholeOnes() throws {
    // B^T A^-1 B = (L^-1 B)^T (L^-1 B)
    let a: [Double] = [4, 1, 1, 3]
    let b: [Double] = [1, 2, 0, 5, 1, 4]
    let half = try #require(CholeskyFactor(a, n: 2)).halfSolve(b, columns: 3)
    var gram = [Double](repeating: 0, count: 9)
    LinearAlgebra.subtractGram(ofColumnsOf: half, rows: 2, columns: 3, fromUpperTriangleOf: &gram)
    let inverse: [Double] = [3.0 / 11, -1.0 / 11, -1.0 / 11, 4.0 / 11]
    let product = LinearAlgebra.product(inverse, b, m: 2, k: 2, n: 3)
    let expected = LinearAlgebra.product(b, product, m: 3, k: 2, n: 3, transposesA: true)
    for row in 0..<3 {
      for column in row..<3 {
        #expect(abs(gram[row * 3 + column] + expected[row * 3 + column]) < 1e-12)
      }
    }
  }
}
