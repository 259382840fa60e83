import PrunecTensors
import Testing

@testable import PrunecCalibration

@Suite struct MomentsAccumulatorTests {
  /// Parts shorter and longer than a block, and none.
  @Test func partsAddUpToTheWhole() throws {
    var random = SplitMix64(seed: 3)
    let block = Moments.blockLength(forRowsOf: 3)
    let lengths = [1, 7, 0, block - 8, 1, 2 * block + 5, 3]
    let count = lengths.reduce(0, +)
    let x: [Float] = (0..<(3 * count)).map { _ in 1 + random.nextNormal() }
    let y: [Float] = (0..<(2 * count)).map { _ in random.nextNormal() }
    let products = RowProducts()
    var whole = Moments(inputs: 3, outputs: 2)
    try whole.add(x, y, count: count, products)
    var accumulator = MomentsAccumulator(inputs: 3, outputs: 2)
    var start = 0
    for length in lengths {
      let end = start + length
      try accumulator.add(
        Array(x[(3 * start)..<(3 * end)]), Array(y[(2 * start)..<(2 * end)]), count: length,
        products)
      start = end
    }
    let sums = try accumulator.finish(products)
    #expect(sums.count == count)
    for (a, b) in [
      (sums.covariance(), whole.covariance()), (sums.crossCovariance(), whole.crossCovariance()),
      (sums.inputMean, whole.inputMean), (sums.outputMean, whole.outputMean),
      (sums.outputSquares, whole.outputSquares),
    ] {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 * max(1, abs($1)) })
    }
  }
}
