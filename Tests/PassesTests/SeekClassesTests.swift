import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecPasses
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct SeekClassesTests {
  private static let classifier = """
    main (float[N,1,16,16] x) => (float[N,4] y)
    <float scale = {4}>
    { p = AveragePool <kernel_shape = [8, 8], strides = [8, 8]> (x) s = Mul (p, scale) y = Flatten (s) }
    """

  private func synthetic(_ graph: Graph, count: Int = 32) throws -> SyntheticSamples {
    try #require(
      SyntheticSamples(for: graph, InputShapes(for: graph), count: count, batchSize: 16, seed: 1))
  }

  private func run(
    _ pipeline: String, _ text: String = classifier,
    samples: (Graph) throws -> any CalibrationBatches
  ) throws -> PassRun {
    let model = try parseModel(text)
    return try PassRun(pipeline, on: model, calibration: try samples(model.graph))
  }

  private func tensors(_ batches: any CalibrationBatches) throws -> [[Tensor]] {
    try (0..<batches.count).map { try batches.tensors(ofBatch: $0) }
  }

  private func samples(behind run: PassRun) throws -> [[Tensor]] {
    try tensors(try run.context.calibration.batches(named: "calibration", for: "test"))
  }

  @Test func madeUpImagesChange() throws {
    let run = try run("seek-classes") { try synthetic($0) }
    let before = try tensors(try synthetic(run.model.graph))
    let after = try samples(behind: run)
    #expect(after.map { $0.map(\.shape) } == before.map { $0.map(\.shape) })
    #expect(after != before)
    #expect(run.context.searchRuns == 16 * 121)
    #expect(differences(between: run.model, and: try parseModel(Self.classifier)) == [])
  }

  @Test func theSeedDecides() throws {
    let found = try ["0", "0", "1"].map { seed in
      try samples(behind: try run("seek-classes{seed=\(seed)}") { try synthetic($0) })
    }
    #expect(found[0] == found[1])
    #expect(found[0] != found[2])
  }

  @Test func samplesThatAreGivenStay() throws {
    let given = [[Tensor]](
      repeating: [Tensor([Float](repeating: 1, count: 256), shape: [1, 1, 16, 16])], count: 4)
    let run = try run("seek-classes") { _ in HeldBatches(given) }
    #expect(try samples(behind: run) == given)
    #expect(run.context.searchRuns == 0)
  }

  @Test func modelsWithoutClassesLeaveTheImagesAlone() throws {
    let text = "main (float[N,1,16,16] x) => (float[N,1,16,16] y) { y = Relu (x) }"
    let run = try run("seek-classes", text) { try synthetic($0) }
    #expect(try samples(behind: run) == tensors(try synthetic(run.model.graph)))
  }
}
