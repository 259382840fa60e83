import Foundation
import PrunecDataSets
import PrunecGraphIR
import PrunecTensors
import PrunecTestSupport
import Testing

/// `Fixtures/TestData`, which onnx has written: eleven folders, the last with three items.
@Suite struct TestDataTests {
  private let path = packageDirectory.appending(path: "Fixtures/TestData").path
  private let inputs = [
    input("ids", .int64, "N 4"), input("mask", .float32, "N 2"),
  ]

  @Test func foldersAreSamplesInTheOrderOfTheirNumbers() throws {
    let set = try openDataSet(path, for: inputs)
    #expect(set.count == 11 && !set.hasLabels)
    for index in [0, 2, 9] {
      let sample = try set.sample(at: index)
      #expect(sample.inputs["ids"]?.integers == (0..<4).map { $0 + index })
      #expect(sample.inputs["mask"]?.floats == [Float(index), Float(index) + 0.5])
    }
    #expect(try set.sample(at: 10).inputs["ids"]?.shape == [3, 4])
  }

  @Test func namesGoBeforeNumbers() throws {
    let set = try openDataSet(path + "/test_data_set_1", for: inputs)
    #expect(set.count == 1)
    #expect(try set.sample(at: 0).inputs["ids"]?.integers == [1, 2, 3, 4])
  }

  @Test func severalItemsAreABatch() throws {
    let set = try openDataSet(path, for: inputs)
    let batches = try SampleBatches(set, inputs: inputs, batchSize: 4)
    #expect((0..<batches.count).map { batches.itemCount(ofBatch: $0) } == [4, 4, 3, 2])
    #expect(batches.itemCount == 13)
    #expect(try batches.tensors(ofBatch: 0).map(\.shape) == [[4, 4], [4, 2]])
    #expect(batches.labels == nil)
  }

  @Test func severalItemsAreAsManyAsTheModelTakes() throws {
    let one = inputs.map { input in
      var one = input
      one.type?.shape?[0] = .fixed(1)
      return one
    }
    let set = try openDataSet(path, for: one)
    #expect(
      failure { () throws(CompileError) in _ = try SampleBatches(set, inputs: one) }
        == "usage: sample 10 is [3, 4] for input 'ids', which takes 1 at once")
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let wide = [input("ids", .int64, "N 5"), inputs[1]]
    let folder = try SetFolder()
    try folder.write(Data([8, 3, 99]), to: "input_0.pb")
    let cases: [(String, [ModelInput], String)] = [
      (
        path, wide, "usage: input 'ids' takes [N, 5], 'test_data_set_0/input_0.pb' is [1, 4]"
      ),
      (
        path, inputs + [input("z")], "usage: 'test_data_set_0' has no tensor for input 'z'"
      ),
      (
        path, [inputs[0]],
        "usage: 'test_data_set_0/input_1.pb' is for input 1, and the model has 1"
      ),
    ]
    for (path, inputs, message) in cases {
      #expect(
        failure { () throws(CompileError) in
          _ = try openDataSet(path, for: inputs).sample(at: 0)
        } == message)
    }
    #expect(
      failure { () throws(CompileError) in
        _ = try openDataSet(folder.path, for: inputs).sample(at: 0)
      }.hasPrefix("malformed: 'input_0.pb': "))
  }
}
