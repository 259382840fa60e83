import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// onnxruntime's operators on integers of eight bits. That they compute what it does is held against it in the
/// end-to-end tests.
@Suite struct QLinearTests {
  private static let scale = ValueFacts.constant([0.1])
  private static let zero = ValueFacts(constant: Tensor(.uint8, shape: [], elements: [UInt8(3)]))

  private func bytes(_ shape: Int...) -> ValueFacts {
    ValueFacts(.uint8, shape.map { .fixed($0) })
  }

  private func quantized(_ facts: ValueFacts) -> [ValueFacts?] { [facts, Self.scale, Self.zero] }

  private func runtime(
    _ type: String, _ operands: [ValueFacts?], results: Int = 1, _ attributes: [Attribute] = []
  ) -> OperatorCase {
    OperatorCase(
      type, domain: "com.microsoft", opset: 1, operands, results: results, attributes)
  }

  @Test func channelsPassAsThroughTheirTwins() throws {
    let result: [ValueFacts?] = [Self.scale, Self.zero]
    let sum = runtime(
      "QLinearAdd", quantized(bytes(2, 8, 5)) + quantized(bytes(8, 1)) + result)
    #expect(try sum.shape() == "2 8 5")
    #expect(
      try sum.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "X0.2 = Y0.2", "X3.0 = Y0.1"])
    let sigmoid = runtime("QLinearSigmoid", quantized(bytes(2, 8)) + result)
    #expect(try sigmoid.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
    let softmax = runtime(
      "QLinearSoftmax", quantized(bytes(2, 8)) + result,
      [Attribute("axis", 1), Attribute("opset", 13)])
    #expect(try softmax.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "pin X0.1"])
    let concat = runtime(
      "QLinearConcat", result + quantized(bytes(2, 8)) + quantized(bytes(2, 4)),
      [Attribute("axis", 1)])
    #expect(try concat.shape() == "2 12")
    #expect(
      try concat.relations() == [
        "X2.0 = Y0.0", "X5.0 = Y0.0", "X2.1 = Y0.1 from 0 by 1", "X5.1 = Y0.1 from 8 by 1",
      ])
    let mean = runtime(
      "QLinearGlobalAveragePool", quantized(bytes(2, 4, 4, 8)) + result,
      [Attribute("channels_last", 1)])
    #expect(try mean.shape() == "2 1 1 8")
    #expect(try mean.relations().contains("X0.3 = Y0.3"))
  }

  @Test func gemmOfIntegers() throws {
    let gemm = runtime(
      "QGemm",
      quantized(bytes(2, 5)) + [
        bytes(8, 5), .constant([Float](repeating: 1, count: 8), 8), Self.zero,
      ]
        + [ValueFacts(.int32, [.fixed(8)]), Self.scale, Self.zero],
      [Attribute("transB", 1)])
    #expect(try gemm.shape() == "2 8")
    #expect(
      try gemm.relations() == [
        "X0.1 = X3.1", "coefficient X3.1 but 3", "X0.0 = Y0.0", "X3.0 = Y0.1", "X4.0 = X3.0",
        "X6.0 = Y0.1",
      ])
    #expect(try gemm.macs() == 80)
    let plain = runtime("QGemm", quantized(bytes(2, 5)) + quantized(bytes(5, 8)))
    #expect(try plain.infer()[0].elementType == .float32)
    #expect(
      runtime("QGemm", quantized(bytes(2, 5)) + quantized(bytes(4, 8))).refusal()
        == "A has 5 columns and B has 4 rows")
  }

  @Test func statesOfUnitsAreQuantizedTogether() throws {
    func weight(_ shape: Int...) -> ValueFacts { ValueFacts(.int8, shape.map { .fixed($0) }) }
    let zero = ValueFacts(constant: Tensor(.int8, shape: [1], elements: [Int8(0)]))
    let lstm = runtime(
      "DynamicQuantizeLSTM",
      [.float(7, 2, 5), weight(1, 5, 12), weight(1, 3, 12), nil, nil, nil, nil, nil]
        + [.constant([0.1], 1), zero, .constant([0.1], 1), zero], results: 2,
      [Attribute("hidden_size", 3)])
    #expect(try lstm.shape() == "7 1 2 3")
    #expect(try lstm.shape(1) == "1 2 3")
    let relations = try lstm.relations()
    #expect(relations.prefix(2) == ["X0.2 = X1.1", "sum X0.2"])
    #expect(relations.contains("pin Y0.3") && relations.contains("pin Y1.2"))
    #expect(try lstm.macs() == 14 * 12 * 8)
  }

  @Test func whatIsMissingIsSaid() {
    #expect(
      runtime("QLinearAdd", quantized(bytes(2)) + [bytes(2)]).refusal() == "operand 4 is missing")
    #expect(
      runtime("QLinearSigmoid", [.float(2), Self.scale, Self.zero, Self.scale, Self.zero]).refusal()
        == "operand 0 is of type float")
  }
}
