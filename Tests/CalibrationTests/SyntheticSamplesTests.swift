import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

@Suite struct SyntheticSamplesTests {
  private func samples(
    _ signature: String, _ nodes: String = "y = Identity (x)", count: Int = 64, size: Int = 16,
    seed: UInt64 = 1,
    distribution: SyntheticSamples.Distribution? = nil
  ) throws -> SyntheticSamples? {
    let graph = try parseModel(
      "main (\(signature)) => (float[] y) \(nodes.hasPrefix("<") ? nodes : "{ \(nodes) }")"
    ).graph
    return SyntheticSamples(
      for: graph, InputShapes(for: graph), count: count, batchSize: size, seed: seed,
      distribution: distribution)
  }

  private func all(_ samples: SyntheticSamples) throws -> [Tensor] {
    try (0..<samples.count).map { try samples.tensors(ofBatch: $0)[0] }
  }

  private func moments(_ tensors: [Tensor]) -> (mean: Double, deviation: Double) {
    let elements = tensors.flatMap(\.floats).map(Double.init)
    let mean = elements.reduce(0, +) / Double(elements.count)
    let variance = elements.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(elements.count)
    return (mean, variance.squareRoot())
  }

  @Test func theSameSeedGivesTheSameSamples() throws {
    for signature in ["float[N,3,16,16] x", "float[N,20] x", "int64[N,7] x"] {
      let first = try all(#require(try samples(signature)))
      #expect(try all(#require(try samples(signature))) == first)
      #expect(try all(#require(try samples(signature, seed: 2))) != first)
      #expect(first[0] != first[1])
    }
  }

  @Test(arguments: [
    "float[N,3,24,24] x", "float[N,24,24,1] x", "float[N,500] x", "float16[N,3,24,24] x",
  ])
  func floatsHaveTheMeanAndDeviation(_ signature: String) throws {
    let distribution = SyntheticSamples.Distribution(mean: 0.5, deviation: 0.25)
    let batches = try #require(try samples(signature, distribution: distribution))
    let found = moments(try all(batches))
    #expect(abs(found.mean - 0.5) < 0.01)
    #expect(abs(found.deviation - 0.25) < 0.01)
  }

  @Test func batchesCoverTheSamples() throws {
    let found = try #require(try samples("float[N,20] x", count: 64, size: 16))
    #expect(found.count == 4)
    #expect(found.sampleCount == 64)
    #expect(try found.tensors(ofBatch: 3)[0].shape == [16, 20])
  }

  /// A batch that the model fixes is kept to.
  @Test func batchesThatTheModelFixes() throws {
    let found = try #require(try samples("float[1,3,16,16] x", count: 8))
    #expect(found.count == 8)
    #expect(try found.tensors(ofBatch: 0)[0].shape == [1, 3, 16, 16])
  }

  /// Neighbouring pixels of an image are mostly alike, those of noise never: half the mean squared difference is the variance there.
  @Test(arguments: ["float[N,3,32,32] x", "float[N,32,32,3] x"])
  func imagesAreSmooth(_ signature: String) throws {
    let tensor = try #require(try samples(signature)).tensors(ofBatch: 0)[0]
    let images = tensor.shape[3] == 3 ? tensor.transposed([0, 3, 1, 2]) : tensor
    #expect(images.shape == [16, 3, 32, 32])
    let elements = images.floats
    var differences: [Float] = []
    for row in stride(from: 0, to: elements.count, by: 32) {
      for column in row..<(row + 31) {
        differences.append(abs(elements[column] - elements[column + 1]))
      }
    }
    let half = differences.reduce(0) { $0 + $1 * $1 } / Float(2 * differences.count)
    #expect(half < 0.4)
    // Edges are few: most differences are far smaller than the largest.
    differences.sort()
    #expect(differences[differences.count / 2] < differences.last! / 10)
    #expect(Set(elements).count > 50)
  }

  /// Images differ in contrast and brightness.
  @Test func imagesDifferInLight() throws {
    let tensor = try #require(try samples("float[N,1,32,32] x", size: 32)).tensors(ofBatch: 0)[0]
    let figures = (0..<32).map { moments([tensor.slice($0..<($0 + 1), alongAxis: 0)]) }
    #expect(figures.map(\.deviation).max()! > 2 * figures.map(\.deviation).min()!)
    #expect(figures.map(\.mean).max()! - figures.map(\.mean).min()! > 1)
  }

  @Test func integersPickRowsOfTheirTable() throws {
    let found = try #require(
      try samples(
        "int64[N,50] x",
        "<float[5,3] table = {...}, float[9,3] other = {...}> { a = Gather (table, x) b = Gather (other, x) y = Add (a, b) }"
      ))
    let numbers = Set(try all(found).flatMap(\.integers))
    #expect(numbers == Set(0..<5))
  }

  /// Rows of a table may lie along another axis than the first.
  @Test func integersPickAlongTheAxisOfTheGather() throws {
    let found = try #require(
      try samples(
        "int64[N,50] x", "<float[30,4] table = {...}> { y = Gather <axis = 1> (table, x) }"))
    #expect(Set(try all(found).flatMap(\.integers)) == Set(0..<4))
  }

  @Test func aTableWithoutRowsIsNoTrap() throws {
    let found = try samples("int64[N,2] x", "<float[0,4] table = {}> { y = Gather (table, x) }")
    if let found { _ = try all(found) }
  }

  @Test func otherIntegersAreZerosAndOnes() throws {
    #expect(Set(try all(#require(try samples("int32[N,50] x"))).flatMap(\.integers)) == [0, 1])
    #expect(Set(try all(#require(try samples("bool[N,50] x"))).flatMap(\.integers)) == [0, 1])
  }

  @Test func inputsThatTakeNoNumbersHaveNoSamples() throws {
    #expect(try samples("string[N,2] x") == nil)
  }

  @Test func scalarsAndSingleElements() throws {
    let found = try #require(try samples("float[N,3,16,16] x, float scale", "y = Mul (x, scale)"))
    #expect(try found.tensors(ofBatch: 0)[1].shape == [])
  }

  @Test(
    arguments: [
      ("d = Sub (x, mean) z = Div (d, std)", 0.45, 0.25),
      ("d = Mul (x, scale) z = Add (d, shift)", 127.5, 127.5),
      ("z = Mul (x, scale)", 0.45 * 127.5, 0.25 * 127.5),
      ("d = Sub (shift, x) z = Identity (d)", -1, 1),
      ("z = BatchNormalization (x, gamma, beta, running, variance)", 3, 2),
      ("d = Mul (x, half) z = BatchNormalization (d, gamma, beta, running, variance)", 6, 4),
    ] as [(String, Float, Float)])
  func theFirstNormalizationTellsTheDistribution(
    _ nodes: String, _ mean: Float, _ deviation: Float
  ) throws {
    let graph = try parseModel(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[N,3,16,16] x) => (float[N,3,16,16] y)
      <float[3,1,1] mean = {0.4, 0.45, 0.5}, float[3,1,1] std = {0.2, 0.25, 0.3}, float scale = {0.00784313725},
       float shift = {-1}, float half = {0.5}, float[3] gamma = {1, 2, 3}, float[3] beta = {0, 0, 0},
       float[3] running = {2, 3, 4}, float[3] variance = {4, 4, 4}>
      { \(nodes) y = Relu (z) }
      """
    ).graph
    let guess = try #require(
      SyntheticSamples.Distribution.guess(ofInput: graph.inputs[0], in: graph))
    #expect(abs(guess.mean - mean) < 1e-3 * max(1, abs(mean)))
    #expect(abs(guess.deviation - deviation) < 1e-3 * deviation)
    let batches = try #require(
      SyntheticSamples(for: graph, InputShapes(for: graph), count: 64, batchSize: 16, seed: 1))
    let found = moments(try all(batches))
    #expect(abs(found.mean - Double(mean)) < 0.02 * Double(deviation))
    #expect(abs(found.deviation - Double(deviation)) < 0.02 * Double(deviation))
  }

  /// Bytes end at 0 and 255, which takes up to a tenth of the deviation.
  @Test func bytesOfImagesArePixels() throws {
    let nodes = "d = Cast <to = 1> (x) y = Relu (d)"
    let found = moments(try all(#require(try samples("uint8[N,16,16,3] x", nodes, count: 256))))
    #expect(abs(found.mean - 115) < 4)
    #expect((57.5...64).contains(found.deviation))
  }

  @Test func nothingIsGuessedFromALayer() throws {
    let graph = try parseModel(
      "main (float[N,4] x) => (float[N,2] y) <float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}> { y = MatMul (x, w) }"
    ).graph
    #expect(SyntheticSamples.Distribution.guess(ofInput: graph.inputs[0], in: graph) == nil)
  }
}
