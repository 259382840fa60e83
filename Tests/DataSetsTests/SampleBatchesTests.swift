import PrunecDataSets
import PrunecGraphIR
import PrunecTensors
import Testing

/// Samples of one number each, their own, some of which are damaged or of another shape.
private struct NumberedSet: DataSet {
  var name: String { "numbers" }
  var count: Int
  var damaged: Set<Int> = []
  /// The extent of the last axis.
  var extent: @Sendable (Int) -> Int = { _ in 1 }
  var hasLabels: Bool { true }
  var warnings: [Diagnostic] { [] }

  func state(at index: Int) -> SampleState {
    damaged.contains(index)
      ? .damaged("'\(index).png': it is cut short")
      : .usable(shapes: [[1, extent(index)]], label: index % 3)
  }

  func sample(at index: Int) -> Sample {
    let elements = [Float](repeating: Float(index), count: extent(index))
    return Sample(
      inputs: ["x": Tensor(elements, shape: [1, elements.count])], label: index % 3)
  }
}

@Suite struct SampleBatchesTests {
  private let inputs = [input("x", .float32, "N L")]

  private func indices(_ batches: SampleBatches) -> [Int] {
    (0..<batches.count).flatMap { batches.sampleIndices(ofBatch: $0) }
  }

  @Test func samplesAreStackedInTheirOrder() throws {
    let batches = try SampleBatches(NumberedSet(count: 7), inputs: inputs, batchSize: 3)
    #expect(batches.count == 3 && batches.itemCount == 7 && batches.warnings.isEmpty)
    #expect(batches.labels == [0, 1, 2, 0, 1, 2, 0])
    #expect(try batches.tensors(ofBatch: 1) == [Tensor([3, 4, 5], shape: [3, 1])])
    #expect(try batches.tensors(ofBatch: 2) == [Tensor([6], shape: [1, 1])])
    #expect(batches.labels(ofBatch: 2) == [0])
  }

  @Test func aFixedSizeIsFilledUp() throws {
    let fixed = [input("x", .float32, "4 L")]
    let batches = try SampleBatches(NumberedSet(count: 6), inputs: fixed, batchSize: 3)
    #expect(batches.count == 2 && batches.itemCount == 6)
    #expect(try batches.tensors(ofBatch: 1) == [Tensor([4, 5, 5, 5], shape: [4, 1])])
    #expect(batches.itemCount(ofBatch: 1) == 2)
    #expect(batches.labels(ofBatch: 1) == [1, 2])
    let none = [input("x", .float32, "0 L")]
    #expect(
      failure { () throws(CompileError) in
        _ = try SampleBatches(NumberedSet(count: 6), inputs: none)
      } == "usage: input 'x' takes batches of no items")
  }

  @Test func aFixedSizeIsThatOfAllInputs() throws {
    let inputs = [input("x", .float32, "4 1"), input("z", .float32, "2 1")]
    #expect(
      failure { () throws(CompileError) in
        _ = try SampleBatches(NumberedSet(count: 6), inputs: inputs)
      }.contains("takes 4 of 'x' at once, 2 of 'z'"))
  }

  @Test func onlyEqualShapesAreStacked() throws {
    let set = NumberedSet(count: 7, extent: { $0 % 2 + 1 })
    let batches = try SampleBatches(set, inputs: inputs, batchSize: 3)
    #expect(
      (0..<batches.count).map { batches.sampleIndices(ofBatch: $0) } == [
        [0, 2, 4], [1, 3, 5], [6],
      ])
    #expect(try batches.tensors(ofBatch: 1)[0].shape == [3, 2])
  }

  @Test func theChoiceIsThatOfTheSeed() throws {
    let set = NumberedSet(count: 100)
    let some = try SampleBatches(set, inputs: inputs, choosing: 10, seed: 1)
    #expect(some.itemCount == 10 && Set(indices(some)).count == 10)
    #expect(indices(some) == indices(some).sorted())
    #expect(try indices(SampleBatches(set, inputs: inputs, choosing: 10, seed: 1)) == indices(some))
    #expect(try indices(SampleBatches(set, inputs: inputs, choosing: 10, seed: 2)) != indices(some))
  }

  @Test func damagedSamplesAreReplacedAndNamed() throws {
    let set = NumberedSet(count: 20, damaged: [3, 4])
    let some = try SampleBatches(set, inputs: inputs, choosing: 18)
    #expect(indices(some) == (0..<20).filter { $0 != 3 && $0 != 4 })
    #expect(some.warnings.count <= 1)
    let all = try SampleBatches(set, inputs: inputs, choosing: 19)
    #expect(
      all.warnings.map(\.message) == [
        "2 samples left out, which cannot be decoded", "has 18 samples, 19 were asked for",
      ])
    #expect(
      all.warnings[0].notes.sorted() == ["'3.png': it is cut short", "'4.png': it is cut short"])
    #expect(
      failure { () throws(CompileError) in
        _ = try SampleBatches(NumberedSet(count: 2, damaged: [0, 1]), inputs: inputs)
      } == "malformed: has no sample that can be used")
  }

  @Test func aPartIsHeldBack() throws {
    let batches = try SampleBatches(NumberedSet(count: 23), inputs: inputs, batchSize: 4)
    let (fit, heldBack) = try batches.split()
    #expect(heldBack.itemCount == 5 && fit.itemCount == 18)
    #expect((indices(fit) + indices(heldBack)).sorted() == Array(0..<23))
    let one = try SampleBatches(NumberedSet(count: 1), inputs: inputs).split()
    #expect(one.fit.itemCount == 1 && one.heldBack.itemCount == 0)
    let two = try SampleBatches(NumberedSet(count: 2), inputs: inputs).split()
    #expect(two.fit.itemCount == 1 && two.heldBack.itemCount == 1)
  }

  @Test func fingerprintsSayWhatSetsShare() throws {
    let few = try SampleBatches(NumberedSet(count: 10), inputs: inputs).fingerprints()
    let many = try SampleBatches(NumberedSet(count: 25), inputs: inputs, batchSize: 7)
      .fingerprints()
    #expect(few.count == 10 && many.count == 25)
    #expect(few.isSubset(of: many))
    let wide = try SampleBatches(NumberedSet(count: 25, extent: { _ in 2 }), inputs: inputs)
    #expect(try wide.fingerprints().isDisjoint(with: many))
  }
}
