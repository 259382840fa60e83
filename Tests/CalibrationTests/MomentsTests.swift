import PrunecCalibration
import PrunecTensors
import Testing

@Suite struct MomentsTests {
  /// Rows of 3 elements and targets of 2, around means that are not zero.
  private func rows(_ count: Int, seed: UInt64) -> (x: [Float], y: [Float]) {
    var random = SplitMix64(seed: seed)
    let x: [Float] = (0..<(3 * count)).map { _ in 1 + random.nextNormal() }
    let y: [Float] = (0..<(2 * count)).map { _ in random.nextNormal() - 2 }
    return (x, y)
  }

  /// More rows than are multiplied at once.
  @Test func shardsAddUpToTheWhole() throws {
    let (x, y) = rows(10_000, seed: 1)
    var whole = Moments(inputs: 3, outputs: 2)
    try whole.add(x, y, count: 10_000, RowProducts())
    var sum = Moments(inputs: 3, outputs: 2)
    for (start, end) in [(0, 1), (1, 4321), (4321, 4321), (4321, 10_000)] {
      var shard = Moments(inputs: 3, outputs: 2)
      try shard.add(
        Array(x[(3 * start)..<(3 * end)]), Array(y[(2 * start)..<(2 * end)]), count: end - start,
        RowProducts())
      sum += shard
    }
    #expect(sum.count == whole.count)
    for (a, b) in [
      (sum.covariance(), whole.covariance()), (sum.crossCovariance(), whole.crossCovariance()),
      (sum.inputMean, whole.inputMean), (sum.outputMean, whole.outputMean),
    ] {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  @Test func momentsAreWhatTheirNamesSay() throws {
    let (x, y) = rows(500, seed: 2)
    var sums = Moments(inputs: 3, outputs: 2)
    try sums.add(x, y, count: 500, RowProducts())
    let rows = (0..<500).map { row in (0..<3).map { Double(x[row * 3 + $0]) } }
    let targets = (0..<500).map { row in (0..<2).map { Double(y[row * 2 + $0]) } }
    func mean(_ term: (Int) -> Double) -> Double {
      let sum: Double = (0..<500).reduce(0.0) { $0 + term($1) }
      return sum / 500
    }
    let (second, centred) = (sums.covariance(isCentred: false), sums.covariance())
    let (cross, centredCross) = (sums.crossCovariance(isCentred: false), sums.crossCovariance())
    for a in 0..<3 {
      let own: Double = mean { rows[$0][a] }
      #expect(abs(sums.inputMean[a] - own) < 1e-5)
      for b in 0..<3 {
        let expected: Double = mean { rows[$0][a] * rows[$0][b] }
        let difference: Double = expected - own * sums.inputMean[b]
        #expect(abs(second[a * 3 + b] - expected) < 1e-4)
        #expect(abs(centred[a * 3 + b] - difference) < 1e-4)
      }
      for output in 0..<2 {
        let expected: Double = mean { rows[$0][a] * targets[$0][output] }
        let difference: Double = expected - own * sums.outputMean[output]
        #expect(abs(cross[output * 3 + a] - expected) < 1e-4)
        #expect(abs(centredCross[output * 3 + a] - difference) < 1e-4)
      }
    }
  }

  @Test func keepingElementsIsTheSumOfShorterRows() throws {
    let (x, y) = rows(50, seed: 3)
    var whole = Moments(inputs: 3, outputs: 2)
    try whole.add(x, y, count: 50, RowProducts())
    let kept = whole.keeping(inputs: [2, 0])
    var short = Moments(inputs: 2, outputs: 2)
    try short.add(
      (0..<50).flatMap { [x[$0 * 3 + 2], x[$0 * 3]] }, y, count: 50, RowProducts())
    #expect(kept.count == 50)
    for (a, b) in [
      (kept.covariance(), short.covariance()), (kept.crossCovariance(), short.crossCovariance()),
    ] {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 })
    }
  }

  /// Rows so long that their products are computed in panels.
  @Test func longRows() throws {
    let length = 300
    var random = SplitMix64(seed: 5)
    let x = (0..<(20 * length)).map { _ in 1 + random.nextNormal() }
    let y = (0..<20).map { _ in random.nextNormal() }
    var sums = Moments(inputs: length, outputs: 1)
    try sums.add(x, y, count: 20, RowProducts())
    let (second, cross) = (
      sums.covariance(isCentred: false), sums.crossCovariance(isCentred: false)
    )
    for row in stride(from: 0, to: length, by: 7) {
      let target = (0..<20).reduce(0.0) { $0 + Double(y[$1] * x[$1 * length + row]) } / 20
      #expect(abs(cross[row] - target) < 1e-5)
      for column in 0..<length {
        let expected = (0..<20).reduce(0.0) {
          $0 + Double(x[$1 * length + row] * x[$1 * length + column])
        }
        #expect(abs(second[row * length + column] - expected / 20) < 1e-5)
      }
    }
  }

  @Test func packedSumsAreUnpacked() throws {
    let (x, _) = rows(50, seed: 4)
    var sums = Moments(inputs: 3, outputs: 0)
    try sums.add(x, [], count: 50, RowProducts())
    #expect(sums.packedSecond.count == 6)
    let again = Moments(
      count: 50, second: Moments.unpacked(sums.packedSecond, length: 3), sum: sums.inputSum)
    #expect(again.covariance() == sums.covariance())
    #expect(again.inputMean == sums.inputMean)
  }

  /// Sums that are turned are those of rows that are turned.
  @Test func turnedSums() throws {
    let (x, _) = rows(200, seed: 5)
    let turn = [0.5, -2, 1, 3]
    var turned = x
    for row in 0..<200 {
      let (a, b) = (Double(x[3 * row + 2]), Double(x[3 * row]))
      turned[3 * row + 2] = Float(turn[0] * a + turn[1] * b)
      turned[3 * row] = Float(turn[2] * a + turn[3] * b)
    }
    var (before, after) = (Moments(inputs: 3, outputs: 0), Moments(inputs: 3, outputs: 0))
    try before.add(x, [], count: 200, RowProducts())
    try after.add(turned, [], count: 200, RowProducts())
    let found = before.turned([2, 0], by: turn)
    for (a, b) in zip(found.covariance(), after.covariance()) { #expect(abs(a - b) < 1e-4) }
    for (a, b) in zip(found.inputMean, after.inputMean) { #expect(abs(a - b) < 1e-5) }
  }
}
