import PrunecCalibration
import PrunecTensors
import Testing

@Suite struct LinearFitTests {
  /// Rows of standard normal numbers, and what a matrix and a bias make of them.
  private func moments(
    _ matrix: [Float], bias: [Float], inputs: Int, rows: Int, seed: UInt64
  ) throws -> Moments {
    var generator = SplitMix64(seed: seed)
    let x = (0..<(rows * inputs)).map { _ in generator.nextNormal() }
    let y = (0..<rows).flatMap { row in
      bias.indices.map { output in
        (0..<inputs).reduce(bias[output]) {
          $0 + matrix[output * inputs + $1] * x[row * inputs + $1]
        }
      }
    }
    var moments = Moments(inputs: inputs, outputs: bias.count)
    try moments.add(x, y, count: rows, RowProducts())
    return moments
  }

  @Test func findsTheMatrixThatMadeTheTargets() throws {
    let matrix: [Float] = [1, -2, 3, 0.5, 4, -1]
    let sums = try moments(matrix, bias: [2, -3], inputs: 3, rows: 5000, seed: 1)
    let fit = try #require(
      LinearFit.ridge(
        sums, prior: [Double](repeating: 0, count: 6), strength: 1e-9, hasBias: true))
    for (found, expected) in zip(fit.matrix, matrix) {
      #expect(abs(found - Double(expected)) < 1e-4)
    }
    for (found, expected) in zip(fit.bias!, [2.0, -3]) { #expect(abs(found - expected) < 1e-4) }
    #expect(fit.error(on: sums) < 1e-4)
  }

  @Test func pullsTowardsThePriorWhereRowsSayNothing() throws {
    // The second element of a row is always zero.
    var sums = Moments(inputs: 2, outputs: 1)
    try sums.add([1, 0, -1, 0], [3, -3], count: 2, RowProducts())
    let fit = try #require(
      LinearFit.ridge(sums, prior: [0, 7], strength: 1e-6, hasBias: true))
    #expect(abs(fit.matrix[0] - 3) < 1e-4)
    #expect(abs(fit.matrix[1] - 7) < 1e-9)
  }

  @Test func sumsOfPartsAreTheSumsOfAll() throws {
    let matrix: [Float] = [1, -2, 3]
    var parts = try moments(matrix, bias: [1], inputs: 3, rows: 40, seed: 1)
    parts += try moments(matrix, bias: [1], inputs: 3, rows: 60, seed: 2)
    #expect(parts.count == 100)
    var first = SplitMix64(seed: 1)
    var second = SplitMix64(seed: 2)
    let x =
      (0..<120).map { _ in first.nextNormal() } + (0..<180).map { _ in second.nextNormal() }
    let y = (0..<100).map { (row: Int) -> Float in
      let start = row * 3
      return 1 + x[start] - 2 * x[start + 1] + 3 * x[start + 2]
    }
    var whole = Moments(inputs: 3, outputs: 1)
    try whole.add(x, y, count: 100, RowProducts())
    for (a, b) in zip(parts.covariance(), whole.covariance()) { #expect(abs(a - b) < 1e-5) }
    for (a, b) in zip(parts.crossCovariance(), whole.crossCovariance()) {
      #expect(abs(a - b) < 1e-5)
    }
  }

  @Test func aFitThatIsNoBetterOnOtherSamplesIsLeftOut() throws {
    let prior: [Double] = [1, 2, 3]
    let validation = try moments([1, 2, 3], bias: [0], inputs: 3, rows: 100, seed: 3)
    let misleading = try moments([-5, 0, 9], bias: [4], inputs: 3, rows: 4, seed: 4)
    let fit = LinearFit.validated(
      fit: misleading, validation: validation, prior: prior, priorBias: [0])
    #expect(fit.matrix == prior)
    #expect(fit.error(on: validation) < 1e-4)
  }

  @Test func withoutRowsToJudgeByThePriorStays() throws {
    let sums = try moments([5, 6, 7], bias: [4], inputs: 3, rows: 50, seed: 3)
    let none = Moments(inputs: 3, outputs: 1)
    for (fit, validation) in [(sums, none), (none, sums), (none, none)] {
      let found = LinearFit.validated(
        fit: fit, validation: validation, prior: [1, 2, 3], priorBias: [9])
      #expect(found.matrix == [1, 2, 3])
      #expect(found.bias == [9])
    }
  }
}
