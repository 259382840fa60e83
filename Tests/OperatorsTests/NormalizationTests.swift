import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// The expected numbers are onnxruntime's.
@Suite struct NormalizationTests {
  static let noEpsilon = Attribute("epsilon", Float(0))

  @Test func batchNormalizationScalesChannels() throws {
    let parameters: [[Float]] = [[2, 1], [1, 0], [1, 2], [4, 1]]
    let call = OperatorCase(
      "BatchNormalization", [.counting(1, 2, 2)] + parameters.map { .constant($0, 2) },
      [Self.noEpsilon])
    #expect(try call.evaluate()[0] == Tensor([1, 2, 1, 2], shape: [1, 2, 2]))
    #expect(
      try call.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X0.2 = Y0.2", "X1.0 = Y0.1", "X2.0 = Y0.1", "X3.0 = Y0.1",
        "X4.0 = Y0.1",
      ])
    let wrong = OperatorCase(
      "BatchNormalization", [.float(1, 3, 2)] + parameters.map { .constant($0, 2) })
    #expect(wrong.refusal() == "operand 1 has extent 2 where X has 3")
  }

  @Test func batchNormalizationInItsOlderForms() throws {
    let vectors = [ValueFacts](repeating: .float(2), count: 4)
    let training = OperatorCase(
      "BatchNormalization", opset: 15, [.float(4, 2, 3)] + vectors, results: 3,
      [Attribute("training_mode", 1)])
    #expect(try training.shape(2) == "2")
    #expect(try training.relations().isEmpty)
    let older = OperatorCase(
      "BatchNormalization", opset: 9, [.float(4, 2, 3)] + vectors, results: 5)
    #expect(try older.relations().isEmpty)

    let parameters: [[Float]] = [[2, 1], [1, 0], [1, 2], [4, 1]]
    let perElement = OperatorCase(
      "BatchNormalization", opset: 7,
      [.counting(2, 1, 2)] + parameters.map { .constant($0, 1, 2) },
      [Self.noEpsilon, Attribute("spatial", 0)])
    #expect(try perElement.evaluate()[0].floats == [1, 0, 3, 2])
    #expect(try perElement.relations().contains("X4.1 = Y0.2"))

    let flat = OperatorCase(
      "BatchNormalization", [.counting(2)] + [[2], [1], [1], [4]].map { .constant($0, 1) },
      [Self.noEpsilon])
    #expect(try flat.evaluate()[0].floats == [1, 2])
    #expect(try flat.relations() == ["X0.0 = Y0.0"])
  }

  @Test func layerNormalization() throws {
    let x = ValueFacts.constant([1, 2, 4, 0, 0, 3], 2, 3)
    let call = OperatorCase(
      "LayerNormalization", [x, .constant([1, 2, 1], 3), .constant([0, 1, 0], 3)], results: 3,
      [Self.noEpsilon])
    let results = try call.evaluate()
    #expect(
      isClose(
        results[0].floats, [-1.0690449, 0.465478, 1.336306, -0.707107, -0.414214, 1.414214]))
    #expect(isClose(results[1].floats, [7 / 3, 1]))
    #expect(results[2].shape == [2, 1])
    #expect(
      try call.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X1.0 = Y0.1", "X2.0 = Y0.1", "gather X0.1 but moments",
        "Y1.0 = X0.0", "Y2.0 = X0.0",
      ])
  }

  @Test func severalNormalizedAxesMayBeCut() throws {
    let call = OperatorCase(
      "LayerNormalization", [.float(-1, 4, 5), .float(4, 5)], [Attribute("axis", 1)])
    let relations = try call.relations()
    #expect(relations.suffix(2) == ["gather X0.1 but moments", "gather X0.2 but moments"])
  }

  @Test func layerNormalizationRefusals() {
    let x = ValueFacts.float(2, 3)
    for axis in [2, -3, Int.min, Int.max] {
      let call = OperatorCase("LayerNormalization", [x, .float(3)], [Attribute("axis", axis)])
      #expect(call.refusal() == "axis \(axis) is out of range for 2 axes")
    }
    #expect(OperatorCase("LayerNormalization", [x, .float(4)]).refusal() != nil)
    for stash in [7, Int.max] {
      let call = OperatorCase(
        "LayerNormalization", [x, .float(3)], [Attribute("stash_type", stash)])
      #expect(call.refusal() == "stash_type is no floating point type")
    }
  }

  @Test func rootMeanSquare() throws {
    let call = OperatorCase(
      "RMSNormalization", opset: 23, [.constant([1, 2, 2], 1, 3), .constant([1, 2, 1], 3)],
      [Self.noEpsilon])
    #expect(isClose(try call.evaluate()[0].floats, [0.57735, 2.309401, 1.1547]))
    #expect(try call.relations().last == "gather X0.1 but moments")
  }

  @Test func instanceNormalization() throws {
    let call = OperatorCase(
      "InstanceNormalization",
      [.counting(1, 2, 3), .constant([1, 2], 2), .constant([0, 1], 2)], [Self.noEpsilon])
    #expect(
      isClose(try call.evaluate()[0].floats, [-1.224745, 0, 1.224745, -1.44949, 1, 3.44949]))
    #expect(
      try call.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X1.0 = Y0.1", "X2.0 = Y0.1", "X0.2 = Y0.2",
        "gather X0.2 but moments",
      ])
    #expect(
      OperatorCase("InstanceNormalization", [.float(1, 2, 3), .float(3), .float(2)]).refusal()
        == "operand 1 has 3 elements instead of 2")
  }

  @Test func groupNormalizationByChannel() throws {
    let call = OperatorCase(
      "GroupNormalization", opset: 21,
      [.counting(1, 4, 2), .constant([1, 2, 3, 4], 4), .constant([0, 1, 0, 1], 4)],
      [Self.noEpsilon, Attribute("num_groups", 2)])
    #expect(
      isClose(
        try call.evaluate()[0].floats,
        [
          -1.341641, -0.447214, 1.894427, 3.683282, -4.024922, -1.341641, 2.788854, 6.366563,
        ]))
    #expect(
      try call.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X0.1 = V0(2) * V1(2)", "X1.0 = X0.1", "X2.0 = X0.1",
        "gather X0.1 in 2 but moments", "X0.2 = Y0.2", "gather X0.2 but moments",
      ])
    #expect(try call.adaptations([.operand(0, axis: 1): [2, 3]]) == ["num_groups=1"])
    #expect(try call.adaptations([.operand(0, axis: 1): [1, 3]]) == [])
  }

  @Test func groupNormalizationByGroup() throws {
    let call = OperatorCase(
      "GroupNormalization", opset: 18,
      [.counting(1, 4, 2), .constant([1, 2], 2), .constant([0, 1], 2)],
      [Self.noEpsilon, Attribute("num_groups", 2)])
    #expect(
      isClose(
        try call.evaluate()[0].floats,
        [
          -1.341641, -0.447214, 0.447214, 1.341641, -1.683281, 0.105573, 1.894427, 3.683281,
        ]))
    #expect(try call.relations().contains("X1.0 = V0(2)"))
    for groups in [0, 3, Int.min] {
      let wrong = OperatorCase(
        "GroupNormalization", opset: 21, [.float(1, 4, 2), .float(4), .float(4)],
        [Attribute("num_groups", groups)])
      #expect(wrong.refusal() != nil)
    }
  }

  @Test(arguments: [(2, [0.6, -0.8, 0, 0]), (1, [0.4285714, -0.5714286, 0, 0])])
  func lpNormalization(p: Int, expected: [Float]) throws {
    let x = ValueFacts.constant([3, -4, 0, 0], 2, 2)
    let call = OperatorCase("LpNormalization", [x], [Attribute("p", p)])
    #expect(isClose(try call.evaluate()[0].floats, expected))
    #expect(try call.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "sum X0.1"])
    #expect(OperatorCase("LpNormalization", [x], [Attribute("p", 3)]).refusal() == "p is 3")
  }

  @Test func localResponseNormalization() throws {
    let attributes = [
      Attribute("alpha", Float(1)), Attribute("beta", Float(0.5)), Attribute("size", 3),
    ]
    let call = OperatorCase("LRN", [.counting(1, 4, 1, 1)], attributes)
    #expect(isClose(try call.evaluate()[0].floats, [0.612372, 0.840168, 0.918559, 1.309307]))
    #expect(try call.relations().contains("pin X0.1"))
    // The window of an even size has its longer half behind the channel.
    let even = OperatorCase(
      "LRN", [.counting(1, 2, 1)],
      [Attribute("alpha", Float(2)), Attribute("beta", Float(1)), Attribute("size", 2)])
    #expect(isClose(try even.evaluate()[0].floats, [1 / 6, 2 / 5]))
    let narrow = OperatorCase("LRN", [.float(1, 4, 1, 1)], [Attribute("size", 1)])
    #expect(try !narrow.relations().contains("pin X0.1"))
    #expect(OperatorCase("LRN", [.float(1, 4)], [Attribute("size", 0)]).refusal() != nil)
    #expect(OperatorCase("LRN", [.float(1, 4)]).refusal() == "'size' must be an integer")
    let wide = OperatorCase("LRN", [.counting(1, 2)], [Attribute("size", Int.max)])
    #expect(try wide.evaluate()[0].count == 2)
  }

  private let logarithms = ValueFacts.constant([0, 0.6931472, 1.0986123, 1.3862944], 1, 2, 2)

  @Test func softmaxAlongOneAxisOrAllThatFollow() throws {
    let axis = Attribute("axis", 1)
    let newer = OperatorCase("Softmax", opset: 13, [logarithms], [axis])
    #expect(isClose(try newer.evaluate()[0].floats, [0.25, 1 / 3, 0.75, 2 / 3]))
    #expect(
      try newer.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "gather X0.1 but lowest", "X0.2 = Y0.2",
      ])
    let older = OperatorCase("Softmax", opset: 11, [logarithms])
    #expect(isClose(try older.evaluate()[0].floats, [0.1, 0.2, 0.3, 0.4]))
    #expect(
      try older.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "gather X0.1 but lowest", "X0.2 = Y0.2",
        "gather X0.2 but lowest",
      ])
    let last = OperatorCase("Softmax", opset: 13, [logarithms])
    #expect(isClose(try last.evaluate()[0].floats, [1 / 3, 2 / 3, 3 / 7, 4 / 7]))
    for axis in [3, -4, Int.min] {
      let wrong = OperatorCase("Softmax", [logarithms], [Attribute("axis", axis)])
      #expect(wrong.refusal() != nil)
    }
  }

  @Test func softmaxVariants() throws {
    let shares = OperatorCase("LogSoftmax", [.constant([1000, 1001], 1, 2)])
    #expect(isClose(try shares.evaluate()[0].floats, [-1.313262, -0.313262]))
    let hard = OperatorCase("Hardmax", [.constant([1, 3, 3], 1, 3)])
    #expect(try hard.evaluate()[0].floats == [0, 1, 0])
    let empty = OperatorCase("Softmax", [.constant([], 2, 0)])
    #expect(try empty.evaluate()[0].shape == [2, 0])
  }
}
