import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// ONNX's classical operators. That they compute what onnxruntime does is held against it in the end-to-end tests.
@Suite struct ClassicalTests {
  private func classical(
    _ type: String, opset: Int = 3, _ operands: [ValueFacts?], results: Int = 1,
    _ attributes: [Attribute] = []
  ) -> OperatorCase {
    OperatorCase(
      type, domain: "ai.onnx.ml", opset: opset, operands, results: results, attributes)
  }

  @Test func scalersGoWithTheirFeatures() throws {
    let scaler = classical(
      "Scaler", [.float(-1, 3)],
      [Attribute("offset", .floats([1, 2, 3])), Attribute("scale", .floats([2]))])
    #expect(try scaler.relations().contains("X0.1 = Y0.1"))
    let adaptations = try scaler.adaptations([
      .operand(0, axis: 1): [0, 2], .result(axis: 1): [0, 2],
    ])
    #expect(adaptations.count == 1 && adaptations[0].contains("[1.0, 3.0]"))
    #expect(
      classical(
        "Scaler", [.float(2, 4)],
        [Attribute("offset", .floats([1, 2, 3])), Attribute("scale", .floats([2]))]
      ).refusal() == "'offset' has 3 elements for 4 features")
  }

  @Test func normsGatherFeatures() throws {
    let l2 = classical("Normalizer", [.float(2, 3)], [Attribute("norm", "L2")])
    #expect(try l2.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "sum X0.1"])
    #expect(try classical("Normalizer", [.float(2, 3)]).relations().last == "pin X0.1")
    #expect(
      classical("Normalizer", [.float(2, 3)], [Attribute("norm", "L3")]).refusal()
        == "'norm' is none that is known")
  }

  @Test func labelsAreLookedUp() throws {
    let strings = ValueFacts(
      constant: Tensor(strings: ["b", "x", "a"].map { Array($0.utf8) }, shape: [3]))
    let texts = Attribute("keys_strings", .strings(["a", "b"].map { Array($0.utf8) }))
    let encoder = classical(
      "LabelEncoder", [strings], [texts, Attribute("values_int64s", [5, 6])])
    #expect(try encoder.evaluate()[0] == Tensor([6, -1, 5]))
    let classes = Attribute("classes_strings", .strings(["a", "b"].map { Array($0.utf8) }))
    #expect(
      try classical("LabelEncoder", opset: 1, [strings], [classes]).evaluate()[0]
        == Tensor([1, -1, 0]))
    let back = try classical("LabelEncoder", opset: 1, [.integers(1, 7)], [classes]).evaluate()[0]
    #expect(back.strings?.map { String(decoding: $0, as: UTF8.self) } == ["b", "_Unused"])
    #expect(classical("LabelEncoder", [strings], [texts]).refusal() == "there are no values")
  }

  @Test func modelsHaveSamplesAndScores() throws {
    let labels = Attribute("classlabels_ints", [4, 5, 6])
    let classifier = classical(
      "LinearClassifier", [.float(-1, 2)], results: 2,
      [
        labels, Attribute("coefficients", .floats([1, 2, 3, 4, 5, 6])),
        Attribute("intercepts", .floats([0, 0, 0])),
      ])
    #expect(try classifier.shape() == "n")
    #expect(try classifier.shape(1) == "n 3")
    #expect(try classifier.relations() == ["X0.0 = Y0.0", "X0.0 = Y1.0", "pin X0.1"])
    let trees = classical(
      "TreeEnsembleClassifier", [.float(-1, 2)], results: 2,
      [Attribute("classlabels_int64s", [0, 1])])
    #expect(try trees.shape(1) == "n 2")
    let regressor = classical(
      "TreeEnsembleRegressor", [.float(7, 2)], [Attribute("n_targets", 3)])
    #expect(try regressor.shape() == "7 3")
    #expect(
      classical("LinearRegressor", [.float(7, 2)], [Attribute("coefficients", .floats([1, 2, 3]))])
        .refusal() == "X has 2 features instead of 3")
  }

  @Test func featuresAreExtracted() throws {
    let extractor = classical("ArrayFeatureExtractor", [.counting(2, 3), .integers(2, 0)])
    #expect(try extractor.evaluate()[0] == Tensor([3, 1, 6, 4], shape: [2, 2]))
    #expect(try extractor.relations() == ["X0.0 = Y0.0", "pin X0.1"])
    let outside = classical("ArrayFeatureExtractor", [.counting(2, 3), .integers(3)])
    #expect(throws: CompileError.self) { try outside.evaluate() }
  }
}
