import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

@testable import PrunecCalibration

@Suite struct ClassSearchTests {
  /// A classifier of images by their brightest quarter: its scores are the means of the four.
  private func quarters(_ batch: String = "N", end: String = "y = Identity (f)") throws -> Graph {
    try parseModel(
      """
      main (float[\(batch),1,16,16] x) => (float[\(batch),4] y)
      <float scale = {4}>
      { p = AveragePool <kernel_shape = [8, 8], strides = [8, 8]> (x) s = Mul (p, scale) f = Flatten (s) \(end) }
      """
    ).graph
  }

  private func samples(_ graph: Graph, count: Int = 64) throws -> SyntheticSamples {
    try #require(
      SyntheticSamples(for: graph, InputShapes(for: graph), count: count, batchSize: 16, seed: 3))
  }

  private func search(
    _ graph: Graph, _ samples: SyntheticSamples, steps: Int = 120, seed: UInt64 = 5
  ) throws -> ClassSearch? {
    try ClassSearch(
      graph, samples, macs: 1, limit: Double(steps * samples.sampleCount / 2), seed: seed)
  }

  /// The images of all batches, in order.
  private func images(_ batches: some CalibrationBatches) throws -> [Tensor] {
    try (0..<batches.count).flatMap { batch in
      let tensor = try batches.tensors(ofBatch: batch)[0]
      return (0..<tensor.shape[0]).map { tensor.slice($0..<($0 + 1), alongAxis: 0) }
    }
  }

  /// The quarter of an image `[1, 1, 16, 16]` that has the greatest mean.
  private func brightest(_ image: Tensor) -> Int {
    let elements = image.floats
    var means = [Float](repeating: 0, count: 4)
    for row in 0..<16 {
      for column in 0..<16 { means[row / 8 * 2 + column / 8] += elements[row * 16 + column] }
    }
    return means.indices.max { means[$0] < means[$1] }!
  }

  @Test(arguments: ["y = Identity (f)", "y = Softmax <axis = 1> (f)"])
  func everySecondImageIsTakenForAClassOfItsOwn(_ end: String) throws {
    let graph = try quarters(end: end)
    let samples = try samples(graph)
    let found = try images(try #require(try search(graph, samples)).run())
    #expect(found.count == 64)
    var counts = [0, 0, 0, 0]
    for place in stride(from: 0, to: 64, by: 2) { counts[brightest(found[place])] += 1 }
    #expect(counts.allSatisfy { (7...9).contains($0) }, "\(counts)")
  }

  /// The other images differ by a scale and a shift alone, which keep the mean and deviation of the batch.
  @Test func theOtherImagesStay() throws {
    let graph = try quarters()
    let samples = try samples(graph)
    let (before, after) = (
      try images(samples), try images(try #require(try search(graph, samples)).run())
    )
    for place in 0..<64 {
      #expect((correlation(before[place], after[place]) > 0.9999) == (place % 2 == 1))
    }
    let all = after.flatMap(\.floats)
    let mean = all.reduce(0, +) / Float(all.count)
    let squares = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(all.count)
    #expect(abs(mean) < 1e-3 && abs(squares - 1) < 1e-3)
  }

  private func correlation(_ one: Tensor, _ other: Tensor) -> Float {
    let (a, b) = (one.floats, other.floats)
    let (meanA, meanB) = (a.reduce(0, +) / Float(a.count), b.reduce(0, +) / Float(b.count))
    var (product, squaresA, squaresB): (Float, Float, Float) = (0, 0, 0)
    for (x, y) in zip(a, b) {
      product += (x - meanA) * (y - meanB)
      squaresA += (x - meanA) * (x - meanA)
      squaresB += (y - meanB) * (y - meanB)
    }
    return product / (squaresA * squaresB).squareRoot()
  }

  @Test func theSameSeedGivesTheSameImages() throws {
    let graph = try quarters()
    let samples = try samples(graph)
    let first = try images(try #require(try search(graph, samples, steps: 10)).run())
    #expect(try images(try #require(try search(graph, samples, steps: 10)).run()) == first)
    #expect(try images(try #require(try search(graph, samples, steps: 10, seed: 6)).run()) != first)
  }

  /// A batch that the model fixes, and an odd number of images.
  @Test func oneImageAtATime() throws {
    let graph = try quarters("1")
    let samples = try samples(graph, count: 9)
    let search = try #require(try search(graph, samples, steps: 150))
    #expect(search.steps == 120)
    #expect(search.runCount == 121 * 5)
    let found = try search.run()
    #expect(found.count == 9)
    #expect(
      Set(
        try images(found).enumerated().filter { $0.offset % 2 == 0 }.map { brightest($0.element) }
      ).count == 4)
  }

  @Test func theLimitIsKept() throws {
    let graph = try quarters()
    let samples = try samples(graph)
    let search = try #require(
      try ClassSearch(graph, samples, macs: 1000, limit: 32 * 1000 * 20.5, seed: 0))
    #expect(search.steps == 20)
    #expect(try ClassSearch(graph, samples, macs: 1000, limit: 32 * 1000 * 7, seed: 0) == nil)
  }

  @Test(arguments: [
    // An output without classes, or with two more axes.
    "main (float[N,1,16,16] x) => (float[N,1] y) { p = GlobalAveragePool (x) y = Flatten (p) }",
    "main (float[N,1,16,16] x) => (float[N,1,16,16] y) { y = Relu (x) }",
    // No image, and more than one input.
    "main (float[N,8] x) => (float[N,8] y) { y = Relu (x) }",
    "main (float[N,1,16,16] x, float[N,256] z) => (float[N,256] y) { f = Flatten (x) y = Add (f, z) }",
  ])
  func whatShowsNoClassesIsLeftAlone(_ text: String) throws {
    let graph = try parseModel(text).graph
    let samples = try samples(graph)
    #expect(try search(graph, samples) == nil)
  }
}
