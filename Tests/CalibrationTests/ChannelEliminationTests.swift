import PrunecCalibration
import PrunecLinearAlgebra
import PrunecTensors
import Testing

@Suite struct ChannelEliminationTests {
  private static let layer = """
    main (float[5,6] x) => (float[] y) <float[6,3] w = {...}, float[3] b = {...}>
    { y = Gemm (x, w, b) }
    """

  /// A layer that reads `channels` channels of `size` elements each, one after the other.
  private func consumer(
    _ rows: [Float], _ matrix: [Double], length: Int, size: Int = 1
  ) throws -> ChannelConsumer {
    var moments = Moments(inputs: length, outputs: 0)
    try moments.add(rows, [], count: rows.count / length, RowProducts())
    return ChannelConsumer(
      layer: try LayerCase(Self.layer).layer, moments: moments, matrix: matrix,
      places: (0..<(length / size)).map { channel in (0..<size).map { channel * size + $0 } })
  }

  /// Rows in which element 2 is made of others by `change`.
  private func rows(_ length: Int, _ change: ([Float]) -> Float) -> [Float] {
    var random = SplitMix64(seed: 3)
    return (0..<400).flatMap { _ -> [Float] in
      var row = (0..<length).map { _ in 2 + random.nextNormal() }
      row[2] = change(row)
      return row
    }
  }

  private let matrix: [Double] = [1, 2, 3, 4, 5, 6, -1, 0.5, -2, 1, 1, -1]

  @Test func oneOfTwoEqualChannelsGoesFirst() throws {
    let rows = rows(6) { $0[4] }
    var elimination = try #require(
      ChannelElimination([try consumer(rows, matrix, length: 6)], channelCount: 6))
    let order = elimination.run()
    #expect([2, 4].contains(order[0].channel))
    #expect(order[0].error < 0.01)
    #expect(order[1].error > 5 * order[0].error)
    #expect(order.map(\.channel).sorted() == Array(0..<6))
    #expect(order.last?.error == .infinity)
  }

  @Test func aChannelThatIsASumOfOthersGoesFirst() throws {
    let rows = rows(6) { 0.8 * $0[0] - 0.6 * $0[5] + 3 }
    var elimination = try #require(
      ChannelElimination([try consumer(rows, matrix, length: 6)], channelCount: 6))
    let order = elimination.run()
    #expect([0, 2, 5].contains(order[0].channel))
    #expect(order[0].error < 0.02)
  }

  /// A channel that never changes is made up for by the bias.
  @Test func aConstantChannelGoesFirst() throws {
    let rows = rows(6) { _ in 7 }
    var elimination = try #require(
      ChannelElimination([try consumer(rows, matrix, length: 6)], channelCount: 6))
    let order = elimination.run()
    #expect(order[0].channel == 2)
    #expect(order[0].error < 0.01)
    #expect(order[1].error > 5 * order[0].error)
  }

  /// What every further channel adds, with channels of one and of two elements, is what solving for all that have gone gives.
  @Test(arguments: [1, 2])
  func updatesAreSolutionsFromScratch(size: Int) throws {
    let rows = rows(6) { 0.5 * $0[1] + 0.3 * $0[3] * $0[0] }
    let consumer = try consumer(rows, matrix, length: 6, size: size)
    var elimination = try #require(ChannelElimination([consumer], channelCount: 6 / size))
    let order = elimination.run()
    var covariance = consumer.covariance
    let mean = (0..<6).reduce(0) { $0 + covariance[$1 * 7] } / 6
    for index in 0..<6 { covariance[index * 7] += 1e-2 * mean }
    func power(_ a: [Double]) -> Double {
      let product = LinearAlgebra.product(a, covariance, m: 2, k: 6, n: 6)
      return zip(product, a).reduce(0) { $0 + $1.0 * $1.1 }
    }
    var gone: [Int] = []
    var reached = 0.0
    for (channel, error) in order.dropLast() {
      gone += consumer.places[channel]
      reached += error
      let left = (0..<6).filter { !gone.contains($0) }
      // W' C[k, k] = W C[:, k]
      let small = left.flatMap { row in left.map { covariance[row * 6 + $0] } }
      let columns = (0..<6).flatMap { row in left.map { covariance[row * 6 + $0] } }
      let right = LinearAlgebra.product(matrix, columns, m: 2, k: 6, n: left.count)
      let solution = try #require(LinearAlgebra.solve(small, right, n: left.count, count: 2))
      var difference = matrix
      for row in 0..<2 {
        for (place, index) in left.enumerated() {
          difference[row * 6 + index] -= solution[row * left.count + place]
        }
      }
      #expect(abs(power(difference) / power(matrix) - reached) < 1e-9)
    }
  }

  /// Each step takes the channel that costs least, over all consumers.
  @Test func consumersAreAddedUp() throws {
    let rows = rows(6) { _ in 0.001 }
    let first = try consumer(rows, [1, 0, 5, 1, 1, 1], length: 6)
    let second = try consumer(rows, [1, 1, 5, 1, 0, 1], length: 6)
    var one = try #require(ChannelElimination([first], channelCount: 6))
    var both = try #require(ChannelElimination([first, second], channelCount: 6))
    #expect(Set(one.run().prefix(2).map(\.channel)) == [1, 2])
    #expect(both.run()[0].channel == 2)
  }

  @Test func consumersThatKnowNothingDoNotCount() throws {
    let silent = try consumer([Float](repeating: 0, count: 60), matrix, length: 6)
    let loud = try consumer(rows(6) { $0[4] }, matrix, length: 6)
    #expect(ChannelElimination([silent], channelCount: 6) == nil)
    #expect(ChannelElimination([], channelCount: 6) == nil)
    #expect(ChannelElimination([silent, loud], channelCount: 6) != nil)
    let broken = try consumer([Float](repeating: .nan, count: 60), matrix, length: 6)
    #expect(ChannelElimination([broken], channelCount: 6) == nil)
  }
}
