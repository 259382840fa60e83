import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// onnxruntime's own operators. That they compute what it does is held against it in the end-to-end tests.
@Suite struct RuntimeOperatorTests {
  private func runtime(
    _ type: String, _ operands: [ValueFacts?], results: Int = 1, _ attributes: [Attribute] = []
  ) -> OperatorCase {
    OperatorCase(
      type, domain: "com.microsoft", opset: 1, operands, results: results, attributes)
  }

  // MARK: Activations

  @Test func biasesGoAlong() throws {
    let call = runtime("BiasGelu", [.float(-1, 4), .float(4)])
    #expect(try call.shape() == "n 4")
    #expect(try call.relations() == ["pin Y0.0", "X0.1 = Y0.1", "X1.0 = Y0.1"])
    #expect(
      runtime("BiasGelu", [.float(2, 4), .float(3)]).refusal()
        == "operand 1 has 3 elements instead of 4")
    #expect(runtime("FastGelu", [.float(), .float(1)]).refusal() == "operand 0 is a scalar")
    #expect(try runtime("FastGelu", [.float(2, 4)]).relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
  }

  @Test func activations() throws {
    let x = ValueFacts.constant([-1, 0, 2], 3)
    let quick = try runtime("QuickGelu", [x], [Attribute("alpha", Float(1))]).evaluate()[0]
    #expect(isClose(quick.floats, [-0.2689414, 0, 1.7615942]))
    let exact = try runtime("Gelu", [x]).evaluate()[0]
    #expect(isClose(exact.floats, [-0.15865526, 0, 1.9544997]))
    let biased = try runtime("BiasGelu", [.constant([0, 0, 0], 3), x]).evaluate()[0]
    #expect(biased.floats == exact.floats)
  }

  // MARK: FusedConv

  @Test func convolutionWithASumAndAnActivation() throws {
    let call = runtime(
      "FusedConv",
      [
        .counting(1, 1, 3), .constant([1, -1], 2, 1, 1), nil,
        .constant([0, 0, 0, 1, 3, 5], 1, 2, 3),
      ],
      [Attribute("activation", "Relu")])
    #expect(try call.evaluate()[0].floats == [1, 2, 3, 0, 1, 2])
    #expect(
      try call.relations() == ["X1.0 = Y0.1", "X0.1 = X1.1", "sum X0.1", "X3.1 = Y0.1"])
    let grouped = runtime(
      "FusedConv", [.float(1, 4, 3), .float(6, 2, 1)], [Attribute("group", 2)])
    #expect(try grouped.adaptations([.operand(0, axis: 1): [0, 1]]) == ["group=1"])
    #expect(
      runtime("FusedConv", [.float(1, 1, 3), .float(2, 1, 1), nil, .float(1, 3, 3)]).refusal()
        == "Z does not have the shape of Y")
    let clip = runtime(
      "FusedConv", [.counting(1, 1, 3), .constant([1], 1, 1, 1)],
      [Attribute("activation", "Clip"), Attribute("activation_params", .floats([2]))])
    #expect(clip.refusesToEvaluate())
    let odd = runtime(
      "FusedConv", [.counting(1, 1, 3), .constant([1], 1, 1, 1)], [Attribute("activation", "Odd")])
    #expect(odd.refusesToEvaluate())
  }

  // MARK: FusedMatMul

  @Test func axesAreWhereTheyAreStored() throws {
    let call = runtime(
      "FusedMatMul", [.float(3, 2, 5, 4), .float(6, 2, 5, 3)],
      [
        Attribute("transA", 1), Attribute("transB", 1), Attribute("transBatchA", 1),
        Attribute("transBatchB", 1),
      ])
    #expect(try call.shape() == "2 5 4 6")
    #expect(
      try call.relations() == [
        "X0.0 = X1.3", "sum X0.0", "sum X1.3", "X0.3 = Y0.2", "X1.0 = Y0.3", "X0.1 = Y0.0",
        "X0.2 = Y0.1", "X1.1 = Y0.0", "X1.2 = Y0.1",
      ])
    #expect(try call.macs() == 2 * 5 * 4 * 6 * 3)
    let scaled = runtime(
      "FusedMatMul", [.counting(2, 1), .counting(1, 2)],
      [Attribute("transA", 1), Attribute("transB", 1), Attribute("alpha", Float(0.5))])
    #expect(try scaled.evaluate()[0].floats == [2.5])
    #expect(runtime("FusedMatMul", [.float(2, 3), .float(2, 3)]).refusal() != nil)
    #expect(
      try runtime("FusedMatMul", [.float(3), .float(4, 3)], [Attribute("transB", 1)]).shape()
        == "4")
  }

  // MARK: Normalizations

  @Test func sumsAreNormalizedInside() throws {
    let call = runtime(
      "SkipLayerNormalization", [.float(-1, 3, 4), .float(3, 4), .float(4), nil, .float(4)],
      results: 4)
    #expect(try call.shape() == "n 3 4")
    #expect(try call.shape(1) == "n 3 1")
    #expect(try call.shape(3) == "n 3 4")
    let relations = try call.relations()
    #expect(relations.contains("pin X0.2") && relations.contains("Y3.2 = X0.2"))
    #expect(
      runtime("SkipLayerNormalization", [.float(2, 4), .float(3, 4), .float(4)]).refusal()
        == "skip does not broadcast to X")
    #expect(
      runtime("SkipSimplifiedLayerNormalization", [.float(2, 4), .float(2, 4), .float(3)]).refusal()
        == "operand 2 has 3 elements instead of 4")
    let root = try runtime(
      "SkipSimplifiedLayerNormalization",
      [.constant([1, 2], 1, 2), .constant([2, 2], 1, 2), .constant([1, 2], 2)], results: 4
    ).evaluate()
    #expect(isClose(root[0].floats, [0.8485281, 2.2627417]))
    #expect(root[3].floats == [3, 4])
    let empty = runtime(
      "SkipLayerNormalization",
      [.constant([], 2, 0), .constant([], 2, 0), .constant([], 0), .constant([], 0)], results: 2)
    #expect(try empty.evaluate().map(\.shape) == [[2, 0], [2, 1]])
  }

  @Test func rootMeanSquareUnderItsOlderName() throws {
    let call = OperatorCase(
      "SimplifiedLayerNormalization", opset: 11,
      [.constant([1, 2, 2], 1, 3), .constant([1, 2, 1], 3)], results: 2,
      [Attribute("epsilon", Float(0))])
    let results = try call.evaluate()
    #expect(isClose(results[0].floats, [0.57735, 2.309401, 1.1547]))
    #expect(isClose(results[1].floats, [0.57735]))
    #expect(results[1].shape == [1, 1])
    #expect(try call.relations().contains("Y1.0 = X0.0"))
  }

  // MARK: RotaryEmbedding

  @Test func headsAreAsWideAsTheCaches() throws {
    let call = runtime(
      "RotaryEmbedding", [.float(2, 3, 16), .float(2, 3), .float(9, 2), .float(9, 2)])
    #expect(
      try call.relations() == [
        "X0.2 = V1(4) * V0(4)", "X0.2 = Y0.2", "X2.1 = X3.1", "X2.1 = V0(4) from 0 by 1",
        "X2.1 = V0(4) from 2 by 1",
      ])
    #expect(try call.adaptations([.operand(0, axis: 2): Array(0..<8)]).isEmpty)
    let packed = runtime(
      "RotaryEmbedding", [.float(2, 3, 16), .float(2, 3), .float(9, 2), .float(9, 2)],
      [Attribute("is_packed_batching", 1)])
    #expect(try packed.relations().isEmpty)
    #expect(packed.refusesToEvaluate())
    #expect(
      runtime(
        "RotaryEmbedding", [.float(2, 3, 16), .float(2, 3), .float(9, 2), .float(9, 2)],
        [Attribute("rotary_embedding_dim", 2)]
      ).refusal() == "the number of heads is not given")
    #expect(
      runtime("RotaryEmbedding", [.float(2, 3, 16), .float(2, 3), .float(9, 0), .float(9, 0)])
        .refusal() != nil)
  }
}
