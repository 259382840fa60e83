import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// Products of quantised tensors. The expected numbers are onnxruntime's, but for zero points by row or
/// filter of the integer operators, which it does not take.
@Suite struct IntegerProductTests {
  private func bytes(_ elements: [Int], _ shape: [Int]) -> ValueFacts {
    ValueFacts(constant: Tensor(.uint8, shape: shape, elements: elements.map { UInt8($0) }))
  }

  private func signed(_ elements: [Int], _ shape: [Int]) -> ValueFacts {
    ValueFacts(constant: Tensor(.int8, shape: shape, elements: elements.map { Int8($0) }))
  }

  private func counting(_ shape: Int...) -> ValueFacts {
    bytes(Array(1...shape.elementCount), shape)
  }

  private func countingSigned(_ shape: Int...) -> ValueFacts {
    signed(Array(1...shape.elementCount), shape)
  }

  private func value(_ type: ElementType, _ shape: Int...) -> ValueFacts {
    ValueFacts(type, shape.map { $0 < 0 ? .symbol("n") : .fixed($0) })
  }

  // MARK: Evaluation

  @Test func matrices() throws {
    let plain = OperatorCase(
      "MatMulInteger", [counting(2, 3), countingSigned(3, 2), bytes([2], []), signed([1], [])])
    #expect(
      try plain.evaluate()[0]
        == Tensor(.int32, shape: [2, 2], elements: [4, 4, 22, 31] as [Int32]))
    #expect(try plain.macs() == 12)
    let byColumn = OperatorCase(
      "MatMulInteger", [counting(2, 2, 3), countingSigned(3, 2), nil, signed([1, 2], [2])])
    #expect(try byColumn.evaluate()[0].integers == [16, 16, 34, 34, 52, 52, 70, 70])
    for shape in [[2], [2, 1]] {
      let byRow = OperatorCase(
        "MatMulInteger", [counting(2, 3), counting(3, 2), bytes([1, 2], shape)])
      #expect(try byRow.evaluate()[0].integers == [13, 16, 31, 40])
    }
  }

  @Test func convolutions() throws {
    let padded = OperatorCase(
      "ConvInteger", [counting(1, 2, 3, 3), counting(2, 2, 2, 2), bytes([5], []), bytes([3], [])],
      [Attribute("pads", [1, 1, 0, 0])])
    #expect(
      try padded.evaluate()[0].integers == [
        21, 47, 57, 58, 116, 128, 82, 152, 164, 29, 79, 121, 122, 276, 352, 242, 504, 580,
      ])
    let grouped = OperatorCase(
      "ConvInteger",
      [counting(1, 2, 3), countingSigned(4, 1, 2), bytes([1], [1]), signed([1, 2, 3, 4], [4])],
      [Attribute("group", 2)])
    #expect(try grouped.evaluate()[0].integers == [1, 2, 2, 5, 18, 23, 25, 32])
    #expect(try grouped.macs() == 16)
  }

  private var quantizedConvolution: OperatorCase {
    OperatorCase(
      "QLinearConv",
      [
        counting(1, 2, 3, 3), .constant([0.5]), bytes([5], []), countingSigned(2, 2, 2, 2),
        .constant([0.5, 0.25], 2), signed([0, 0], [2]), .constant([4]), bytes([10], []),
        ValueFacts(constant: Tensor(.int32, shape: [2], elements: [3, -30] as [Int32])),
      ], [Attribute("strides", [2, 2]), Attribute("pads", [1, 1, 1, 1])])
  }

  @Test func quantizedResults() throws {
    let y = try quantizedConvolution.evaluate()[0]
    #expect(y.elementType == .uint8)
    #expect(y.integers == [12, 15, 19, 30, 10, 14, 18, 32])
    let plain = OperatorCase(
      "QLinearMatMul",
      [
        counting(2, 3), .constant([0.5], 1), bytes([2], [1]), counting(3, 2), .constant([0.5], 1),
        bytes([1], [1]), .constant([3]), bytes([7], []),
      ])
    #expect(try plain.evaluate()[0].integers == [7, 7, 9, 10])
    let byColumn = OperatorCase(
      "QLinearMatMul",
      [
        counting(2, 3), .constant([0.5], 1), bytes([2], [1]), countingSigned(3, 2),
        .constant([0.5, 0.25], 2), signed([0, 1], [2]), .constant([3]), bytes([7], []),
      ])
    #expect(try byColumn.evaluate()[0].integers == [7, 7, 10, 8])
    let saturated = OperatorCase(
      "QLinearMatMul",
      [
        counting(1, 1), .constant([100]), bytes([0], []), countingSigned(1, 2),
        .constant([100, -100], 2), signed([0, 0], [2]), .constant([1]), signed([1], []),
      ])
    #expect(try saturated.evaluate()[0].integers == [127, -128])
  }

  // MARK: Facts

  @Test func infers() throws {
    let matrices = OperatorCase("MatMulInteger", [value(.uint8, -1, 5, 3), value(.int8, 3, 4)])
    #expect(try matrices.shape() == "n 5 4")
    #expect(try matrices.infer()[0].elementType == .int32)
    #expect(try quantizedConvolution.shape() == "1 2 2 2")
  }

  @Test func refuses() {
    func multiply(_ operands: [ValueFacts?]) -> String? {
      OperatorCase("MatMulInteger", operands).refusal()
    }
    let (a, b) = (value(.uint8, 2, 3), value(.int8, 3, 4))
    #expect(multiply([a, b]) == nil)
    #expect(multiply([a, .float(3, 4)]) == "operand 1 is of type float")
    #expect(multiply([a, b, value(.int8)]) == "operands are of types uint8 and int8")
    #expect(multiply([a, b, value(.uint8, 3)]) == "operand 2 does not fit operand 0")
    #expect(multiply([a, b, nil, value(.int8, 3)]) == "operand 3 does not fit operand 1")
    #expect(multiply([a, b, nil, value(.int8, 3, 1)]) == "operand 3 does not fit operand 1")
    #expect(multiply([a, b, nil, value(.int8, 1, 4)]) == nil)
    #expect(multiply([value(.uint8, 3), b, value(.uint8, 3)]) != nil)

    let (x, w) = (value(.uint8, 1, 2, 3), value(.int8, 4, 2, 2))
    func convolve(_ operands: [ValueFacts?], _ attributes: [Attribute] = []) -> String? {
      OperatorCase("ConvInteger", operands, attributes).refusal()
    }
    #expect(convolve([x, w]) == nil)
    #expect(convolve([x, w, value(.uint8, 2)]) == "operand 2 has more than one element")
    #expect(convolve([x, w, nil, value(.int8, 3)]) == "operand 3 has 3 elements for 4 filters")
    #expect(convolve([x, w, nil, value(.int8, 2, 2)]) == "operand 3 has 2 axes")
    for number in hostileNumbers {
      #expect(convolve([x, w], [Attribute("group", number)]) != nil)
      #expect(convolve([x, w], [Attribute("strides", [number])]) != nil)
    }
  }

  // MARK: Channels

  /// Weights whose zero point is known are masked by it; their rows go with a scale each.
  @Test func weightsAreMasked() throws {
    let dynamic = OperatorCase(
      "MatMulInteger",
      [value(.uint8, -1, 3), value(.int8, 3, 4), value(.uint8), signed([0, 0, 0, 0], [4])])
    #expect(
      try dynamic.relations() == [
        "X0.1 = X1.0", "coefficient X1.0", "X0.0 = Y0.0", "X1.1 = Y0.1", "X3.0 = X1.1",
      ])
    let shifted = OperatorCase(
      "MatMulInteger", [value(.uint8, -1, 3), value(.uint8, 3, 4), value(.uint8), bytes([128], [])])
    #expect(try shifted.relations()[1] == "coefficient X1.0 but 128")
    #expect(
      try quantizedConvolution.relations() == [
        "X3.0 = Y0.1", "X8.0 = Y0.1", "X0.1 = X3.1", "coefficient X3.1", "X4.0 = X3.0",
        "X5.0 = X3.0",
      ])
  }

  @Test func dataIsMaskedWhereWeightsCannotBe() throws {
    let columns = OperatorCase(
      "MatMulInteger",
      [value(.uint8, -1, 3), value(.uint8, 3, 2), bytes([7], []), bytes([1, 2], [2])])
    #expect(try columns.relations()[1] == "coefficient X0.1 but 7")
    let neither = OperatorCase(
      "MatMulInteger",
      [value(.uint8, -1, 3), value(.uint8, 3, 2), value(.uint8), value(.uint8)])
    #expect(try neither.relations()[1] == "pin X1.0")
  }

  /// Whole groups of a grouped convolution may go without any mask.
  @Test func groups() throws {
    let call = OperatorCase(
      "ConvInteger", [value(.uint8, 1, 4, 3), value(.int8, 6, 2, 2), value(.uint8), value(.int8)],
      [Attribute("group", 2)])
    #expect(
      try call.relations() == [
        "X1.0 = Y0.1", "X0.1 = V0(2) * X1.1", "Y0.1 = V0(2) * V1(3)", "pin X1.1",
      ])
    #expect(try call.adaptations([.operand(0, axis: 1): [2, 3]]) == ["group=1"])
  }

  @Test func whatIsNotKnownPins() throws {
    let scales = OperatorCase(
      "QLinearMatMul",
      [
        value(.uint8, 2, 3), .float(1), value(.uint8, 1), value(.int8, 3, 4), .float(-1),
        value(.int8, 1), .float(1), value(.uint8, 1),
      ])
    #expect(try scales.relations().isEmpty)
    let results = OperatorCase(
      "QLinearMatMul",
      [
        value(.uint8, 2, 3), .float(1), value(.uint8, 1), value(.int8, 3, 4), .float(1),
        value(.int8, 1), .float(2), value(.uint8, 2),
      ])
    #expect(try results.relations().isEmpty)
  }
}
