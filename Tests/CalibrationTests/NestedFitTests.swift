import PrunecCalibration
import PrunecTensors
import Testing

@Suite struct NestedFitTests {
  private static let layer = """
    main (float[5,6] x) => (float[] y) <float[6,2] w = {...}, float[2] b = {...}>
    { y = Gemm (x, w, b) }
    """
  private let matrix: [Double] = [1, 2, 3, 4, 5, 6, -1, 0.5, -2, 1, 1, -1]

  /// A consumer of two channels of two elements; the elements 0 and 5 of a row belong to no channel.
  private func consumer() throws -> ChannelConsumer {
    var random = SplitMix64(seed: 7)
    let rows = (0..<300).flatMap { _ -> [Float] in
      let row = (0..<6).map { _ in 1 + random.nextNormal() }
      return [row[0], row[1], row[2], row[0] - row[3], row[1] + row[4], row[5]]
    }
    var moments = Moments(inputs: 6, outputs: 0)
    try moments.add(rows, [], count: 300, RowProducts())
    return ChannelConsumer(
      layer: try LayerCase(Self.layer).layer, moments: moments, matrix: matrix,
      places: [[3, 1], [2, 4]])
  }

  /// W' C[k, k] = W C[:, k], with the ridge in C; zero where nothing is left.
  @Test(arguments: [[0, 1], [1, 0]])
  func solvesForWhatStays(ranking: [Int]) throws {
    let consumer = try consumer()
    let fit = try #require(NestedFit(consumer, ranking: ranking))
    var covariance = consumer.covariance
    let mean = (0..<6).reduce(0) { $0 + covariance[$1 * 7] } / 6
    for index in 0..<6 { covariance[index * 7] += 1e-2 * mean }
    for count in 0...2 {
      let stays = [0, 5] + ranking.suffix(count).flatMap { consumer.places[$0] }
      let found = try #require(fit.matrix(keeping: count))
      for row in 0..<2 {
        for column in stays {
          func product(_ matrix: [Double]) -> Double {
            (0..<6).reduce(0) { $0 + matrix[row * 6 + $1] * covariance[$1 * 6 + column] }
          }
          #expect(abs(product(found) - product(matrix)) < 1e-9)
        }
        for place in 0..<6 where !stays.contains(place) { #expect(found[row * 6 + place] == 0) }
      }
    }
  }

  @Test func silenceFitsNothing() throws {
    var moments = Moments(inputs: 6, outputs: 0)
    try moments.add([Float](repeating: 0, count: 60), [], count: 10, RowProducts())
    let silent = ChannelConsumer(
      layer: try LayerCase(Self.layer).layer, moments: moments, matrix: matrix,
      places: [[3, 1], [2, 4]])
    #expect(NestedFit(silent, ranking: [0, 1]) == nil)
  }
}
