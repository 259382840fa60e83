import PrunecArrayFiles
import PrunecDataSets
import PrunecGraphIR
import PrunecTensors
import Testing

@Suite struct ArraySetTests {
  private let folder: SetFolder

  init() throws { folder = try SetFolder() }

  /// The elements of an input in all samples of a set.
  private func elements(_ set: any DataSet, of name: String = "x") throws -> [Float] {
    try (0..<set.count).flatMap { try set.sample(at: $0).inputs[name]!.floats }
  }

  @Test(arguments: ["data", "x", "whatever"])
  func theArrayOfOneInputMayHaveAnotherName(name: String) throws {
    let path = try folder.write(
      archive: [(name, counting([3, 2])), ("y", Tensor([2, 0, 1]))], to: "set.npz")
    let set = try openDataSet(path, for: [input("data")])
    #expect(set.count == 3 && set.hasLabels)
    let sample = try set.sample(at: 1)
    #expect(sample.inputs["data"] == Tensor([2, 3], shape: [1, 2]))
    #expect(sample.label == 0)
  }

  @Test func severalInputsHaveTheirOwnArrays() throws {
    let path = try folder.write(
      archive: [("b", Tensor([7, 8])), ("a", counting([2, 2])), ("y", counting([2]))],
      to: "set.npz")
    let set = try openDataSet(path, for: [input("a"), input("b", .int64, "?")])
    #expect(!set.hasLabels)
    #expect(set.warnings.map(\.message).first?.contains("'y' is float [2] and not labels") == true)
    let sample = try set.sample(at: 1)
    #expect(sample.inputs["a"]?.floats == [2, 3])
    #expect(sample.inputs["b"] == Tensor([8]))
  }

  @Test func filesArePartsOfASetInTheOrderOfTheirNames() throws {
    try folder.write(archive: [("x", counting([1, 2], from: 4)), ("y", Tensor([4]))], to: "b.npz")
    try folder.write(archive: [("x", counting([2, 2])), ("y", Tensor([1, 2]))], to: "a.npz")
    let set = try openDataSet(folder.path, for: [input()])
    #expect(set.count == 3 && set.hasLabels)
    #expect(try elements(set) == [0, 1, 2, 3, 4, 5])
    #expect(try [2, 0, 1].map { try set.sample(at: $0).label } == [4, 1, 2])
  }

  @Test func filesOfOneArrayArePartsOrInputs() throws {
    try folder.write(array: counting([2, 2]), to: "1.npy")
    try folder.write(array: counting([1, 2], from: 4), to: "2.npy")
    #expect(try elements(openDataSet(folder.path, for: [input()])) == [0, 1, 2, 3, 4, 5])
    let other = try SetFolder()
    try other.write(array: counting([2, 2]), to: "x.npy")
    try other.write(array: Tensor([5, 6]), to: "y.npy")
    let set = try openDataSet(other.path, for: [input("image")])
    #expect(set.hasLabels)
    #expect(try elements(set, of: "image") == [0, 1, 2, 3])
    #expect(try set.sample(at: 1).label == 6)
  }

  @Test func elementsBecomeThoseOfTheModel() throws {
    let path = try folder.write(array: Tensor([1, 2, 3, 4], shape: [2, 2]), to: "x.npy")
    let set = try openDataSet(path, for: [input("x", .float16)])
    #expect(try set.sample(at: 0).inputs["x"]?.elementType == .float16)
    #expect(try elements(set) == [1, 2, 3, 4])
    let zeros = try folder.write(array: Tensor([-0.0, 7], shape: [1, 2]), to: "zeros.npy")
    #expect(
      try openDataSet(zeros, for: [input("x", .int64)]).sample(at: 0).inputs["x"]
        == Tensor([0, 7] as [Int], shape: [1, 2]))
    let halves = try folder.write(array: Tensor([0.5, 1], shape: [1, 2]), to: "half.npy")
    let integers = try openDataSet(halves, for: [input("x", .int64)])
    #expect(
      failure { () throws(CompileError) in _ = try integers.sample(at: 0) }
        == "usage: array 'x' is float, and input 'x' takes int64, which cannot express its elements"
    )
  }

  @Test func valuesAreFinite() throws {
    let bad = Tensor([1, 2, 3, .nan], shape: [2, 2])
    let set = try openDataSet(folder.write(array: bad, to: "x.npy"), for: [input()])
    _ = try set.sample(at: 0)
    #expect(
      failure { () throws(CompileError) in _ = try set.sample(at: 1) }
        == "malformed: array 'x' has a value that is NaN or infinite in sample 1")
    let large = try folder.write(array: Tensor([1, 1e6], shape: [1, 2]), to: "large.npy")
    let halves = try openDataSet(large, for: [input("x", .float16)])
    #expect(
      failure { () throws(CompileError) in _ = try halves.sample(at: 0) }
        == "malformed: array 'x' has a value beyond the range of float16 in sample 0")
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let images = input("x", .float32, "N 3 32 W")
    let flat = try folder.write(
      archive: [("x", counting([2, 2])), ("z", counting([3]))], to: "flat.npz")
    let scalar = try folder.write(array: counting([]), to: "scalar.npy")
    let none = try folder.write(array: counting([0, 2]), to: "none.npy")
    let labels = try folder.write(
      archive: [("x", counting([2, 2])), ("y", Tensor([1]))], to: "labels.npz")
    let parts = try SetFolder()
    try parts.write(archive: [("x", counting([1, 2])), ("y", Tensor([1]))], to: "a.npz")
    try parts.write(archive: [("x", counting([1, 2]))], to: "b.npz")
    try folder.write(archive: [("x", counting([1, 3]))], to: "parts/wide.npz")
    let cases: [(String, [ModelInput], String)] = [
      (flat, [images], "usage: input 'x' takes [N, 3, 32, W], array 'x' is [2, 2]"),
      (
        flat, [input("a"), input("x")],
        "usage: has no array for input 'a', but x, z"
      ),
      (
        flat, [input("x"), input("z", .float32, "?")], "malformed: x has 2 items, z 3 items"
      ),
      (scalar, [input()], "malformed: array 'x' is a scalar, without an axis of samples"),
      (none, [input()], "malformed: has no samples"),
      (none, [input(), input("z")], "usage: has one array for 2 inputs: x, z"),
      (labels, [input()], "malformed: x has 2 items, y 1 label"),
      (parts.path, [input()], "malformed: 'b.npz' has no labels, and other files have"),
      (
        folder.path + "/parts", [input()],
        "usage: 'wide.npz': input 'x' takes [N, 2], array 'x' is [1, 3]"
      ),
      (
        folder.path + "/absent", [input()],
        "inputOutput: cannot be read: No such file or directory"
      ),
      (flat, [], "usage: holds samples, and the model has no inputs"),
    ]
    for (path, inputs, message) in cases {
      #expect(
        failure { () throws(CompileError) in _ = try openDataSet(path, for: inputs) } == message)
    }
    #expect(
      failure { () throws(CompileError) in
        _ = try openDataSet(flat, for: [input()], options: DataSetOptions(mean: [0.5]))
      }.contains("mean, std, layout, size and crop are for images"))
  }

  @Test func samplesAreReadWhereTheyLie() throws {
    let path = try folder.write(array: counting([100, 2]), to: "x.npy")
    let array = try MappedArray(path)
    #expect(array.header == ArrayHeader(elementType: .float32, shape: [100, 2]))
    #expect(array.rows(98..<100) == counting([2, 2], from: 196))
  }
}
