import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecTensors
import Testing

@Suite struct SampleSubsetTests {
  private func graph(_ extent: String) throws -> Graph {
    try parseModel("main (float[\(extent),2] x) => (float[] y) { y = Relu (x) }").graph
  }

  /// Batches of four samples whose elements tell batch and sample.
  private let batches = HeldBatches(
    (0..<5).map { batch in
      [Tensor((0..<8).map { Float(10 * batch + $0 / 2) }, shape: [4, 2])]
    })

  private func samples(_ subset: SampleSubset) throws -> [Float] {
    try (0..<subset.count).flatMap { batch in
      let tensors = try subset.tensors(ofBatch: batch)
      #expect(tensors[0].shape == [subset.sampleCount(ofBatch: batch), 2])
      return stride(from: 0, to: tensors[0].count, by: 2).map { tensors[0].floats[$0] }
    }
  }

  @Test func partsOfBatchesOfAnySize() throws {
    let graph = try graph("N")
    #expect(try samples(SampleSubset(batches, count: 3, for: graph)) == [0, 1, 2])
    #expect(try samples(SampleSubset(batches, count: 6, for: graph)) == [0, 1, 2, 20, 21, 22])
    #expect(try samples(SampleSubset(batches, count: 100, for: graph)).count == 20)
  }

  @Test func wholeBatchesOfFixedSize() throws {
    let graph = try graph("4")
    #expect(try samples(SampleSubset(batches, count: 3, for: graph)) == [0, 1, 2, 3])
  }
}
