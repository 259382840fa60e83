import PrunecGraphIR
import PrunecONNXText
import PrunecTensors
import PrunecTestSupport
import Testing

@testable import PrunecCalibration

@Suite struct SamplePositionsTests {
  @Test func positionsOfASampleDependOnNothingElse() {
    let positions = SamplePositions(limit: 3, seed: 1)
    let numbers: [UInt64] = [11, 22, 33, 44]
    let together = positions.choose(
      of: .init(extents: [4, 10], axis: 0), samples: numbers, extent: 4)
    #expect(together.count == 12)
    for (place, number) in numbers.enumerated() {
      let alone = positions.choose(
        of: .init(extents: [1, 10], axis: 0), samples: [number], extent: 1)
      #expect(alone.map { $0 + 10 * place } == Array(together[(3 * place)..<(3 * place + 3)]))
    }
    #expect(Set(together.map { $0 % 10 }).count > 3)
  }

  @Test func samplesAlongALaterAxis() {
    let positions = SamplePositions(limit: 10, seed: 1)
    let found = positions.choose(
      of: .init(extents: [5, 3], axis: 1), samples: [1, 2, 3], extent: 3)
    #expect(found == [0, 3, 6, 9, 12, 1, 4, 7, 10, 13, 2, 5, 8, 11, 14])
  }

  @Test func whatFillsUpABatchIsLeftOut() {
    let positions = SamplePositions(limit: 10, seed: 1)
    let found = positions.choose(of: .init(extents: [4, 2], axis: 0), samples: [1, 2], extent: 4)
    #expect(found == [0, 1, 2, 3])
  }

  @Test func samplesThatAreNotToldApartShareTheirPositions() {
    let positions = SamplePositions(limit: 2, seed: 1)
    let found = positions.choose(of: .init(extents: [9], axis: nil), samples: [1, 2], extent: 2)
    #expect(found.count == 4)
    #expect(found == found.sorted() && Set(found).count == 4)
  }

  /// Images; and sequences with the samples along the second axis inside.
  @Test(arguments: [
    """
    main (float[N,2,6,6] x) => (float[] y) <float[4,2,3,3] a = {...}, float[3,4,3,3] b = {...}>
    { h = Conv (x, a) r = Relu (h) y = Conv (r, b) }
    """,
    """
    main (float[N,12,4] x) => (float[] y) <float[4,6] a = {...}, float[6,3] b = {...}>
    { t = Transpose <perm = [1, 0, 2]> (x) h = MatMul (t, a) r = Relu (h) y = MatMul (r, b) }
    """,
  ])
  func sumsDoNotDependOnBatches(_ text: String) throws {
    let graph = try parseModel(text).graph
    let shape = graph[graph.inputs[0]].tensorType!.shape!.map { $0.fixedExtent ?? 6 }
    let whole = try HeldBatches(seeded: graph, count: 1, shapes: ["x": shape])
    let tensor = try whole.tensors(ofBatch: 0)[0]
    let parts = HeldBatches([0..<1, 1..<4, 4..<6].map { [tensor.slice($0, alongAxis: 0)] })
    func sums(_ batches: HeldBatches) throws -> [String: Moments] {
      try LayerStatistics(
        of: graph, batches, rowLimit: 18, sampleCount: 6, where: { _ in true }
      ).sums(in: graph)
    }
    let (one, several) = (try sums(whole), try sums(parts))
    #expect(one.count == 2)
    for (name, moments) in one {
      let other = try #require(several[name])
      #expect(moments.count == 18 && other.count == 18)
      for (a, b) in zip(moments.packedSecond, other.packedSecond) {
        #expect(abs(a - b) <= 1e-5 * max(1, abs(a)))
      }
    }
  }

  @Test func equalSamplesHaveEqualFingerprints() {
    let rows = Tensor([1, 2, 3, 4, 1, 2] as [Float], shape: [3, 2])
    let numbers = SampleFingerprints.all(of: [rows], count: 3)
    #expect(numbers[0] == numbers[2] && numbers[0] != numbers[1])
    let alone = SampleFingerprints.all(of: [rows.slice(1..<2, alongAxis: 0)], count: 1)
    #expect(alone == [numbers[1]])
  }
}
