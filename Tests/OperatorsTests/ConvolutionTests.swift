import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct ConvTransposeTests {
  /// The expectations are onnxruntime's.
  @Test func scattersInTwoDimensions() throws {
    let padded = OperatorCase(
      "ConvTranspose", [.counting(1, 1, 2, 2), .counting(1, 1, 2, 2)],
      [Attribute("strides", [2, 1]), Attribute("output_padding", [1, 0])])
    #expect(
      try padded.evaluate()[0]
        == Tensor([1, 4, 4, 3, 10, 8, 3, 10, 8, 9, 24, 16, 0, 0, 0], shape: [1, 1, 5, 3]))
    let dilated = OperatorCase(
      "ConvTranspose", [.counting(1, 2, 2, 2), .counting(2, 2, 2, 2)],
      [Attribute("dilations", [2, 1])])
    let y = try dilated.evaluate()[0]
    #expect(y.shape == [1, 2, 4, 3])
    #expect(y.floats.prefix(12) == [46, 108, 64, 66, 152, 88, 58, 136, 80, 86, 196, 112])
  }

  @Test(arguments: [
    (3, [Attribute("dilations", [2])], [1, 0, 4, 0, 10, 0, 12, 0, 9]),
    (3, [Attribute("output_shape", [6])], [2, 5, 4, 9, 6, 9]),
    (3, [Attribute("auto_pad", "SAME_LOWER")], [2, 5, 4, 9, 6, 9]),
    (4, [Attribute("auto_pad", "SAME_UPPER")], [2, 5, 8, 9, 14, 9]),
  ])
  func padsAsAsked(width: Int, attributes: [Attribute], expected: [Float]) throws {
    let call = OperatorCase(
      "ConvTranspose", [.counting(1, 1, 3), .counting(1, 1, width)],
      attributes + [Attribute("strides", [2])])
    #expect(try call.evaluate()[0].floats == expected)
  }

  private let grouped = OperatorCase(
    "ConvTranspose", [.counting(1, 2, 3), .counting(2, 1, 3), .constant([10, 20], 2)],
    [Attribute("group", 2), Attribute("strides", [2]), Attribute("pads", [1, 1])])

  @Test func keepsGroupsApart() throws {
    let expected: [Float] = [12, 15, 14, 19, 16, 40, 64, 45, 74, 50]
    #expect(try grouped.evaluate()[0] == Tensor(expected, shape: [1, 2, 5]))
    #expect(
      try grouped.relations() == [
        "X0.1 = X1.0", "sum X0.1", "X2.0 = Y0.1", "X0.1 = V0(2) * V1(1)", "Y0.1 = V0(2) * X1.1",
      ])
    let cut: [AxisReference: [Int]] = [
      .operand(0, axis: 1): [1], .operand(1, axis: 0): [1], .result(axis: 1): [1],
    ]
    #expect(try grouped.adaptations(cut) == ["group=1"])
    #expect(try grouped.adaptations([.operand(0, axis: 1): [0]]).isEmpty)
    #expect(try grouped.macs() == 18)
  }

  @Test func relatesChannels() throws {
    let call = OperatorCase("ConvTranspose", [.float(-1, 4, 3, 3), .float(4, 6, 2, 2), .float(6)])
    #expect(try call.shape() == "n 6 4 4")
    #expect(
      try call.relations() == ["X0.1 = X1.0", "sum X0.1", "X2.0 = Y0.1", "X1.1 = Y0.1"])
  }

  @Test(arguments: [
    Attribute("strides", [Int.max]), Attribute("strides", [0]), Attribute("group", 0),
    Attribute("group", Int.min), Attribute("output_padding", [-1]), Attribute("pads", [9, 9]),
    Attribute("output_shape", [1, 1, 3]), Attribute("output_shape", [Int.max]),
    Attribute("auto_pad", "SOMEHOW"), Attribute("kernel_shape", [2]),
    Attribute("pads", [Int.min, Int.min]),
  ])
  func refusesTheImpossible(attribute: Attribute) {
    let call = OperatorCase("ConvTranspose", [.float(1, 1, 3), .float(1, 1, 3)], [attribute])
    #expect(call.refusal() != nil)
  }

  @Test func infersFromWhatIsKnown() throws {
    let unknown = ValueFacts(.float32, [.unknown, .fixed(1), .unknown])
    let call = OperatorCase("ConvTranspose", [unknown, .float(1, 2, 3)])
    #expect(try call.shape() == "? 2 ?")
    let wanted = OperatorCase(
      "ConvTranspose", [unknown, .float(1, 2, 3)], [Attribute("output_shape", [7])])
    #expect(try wanted.shape() == "? 2 7")
    let overflow = OperatorCase(
      "ConvTranspose", [.float(1, 1, 3), .float(1, Int.max, 3)], [Attribute("group", 1)])
    #expect(try overflow.shape() == "1 \(Int.max) 5")
    let empty = OperatorCase(
      "ConvTranspose", [.constant([], 1, 1, 0), .counting(1, 1, 3)], [Attribute("strides", [2])])
    #expect(try empty.evaluate()[0].floats == [0])
  }
}

@Suite struct ConvTests {
  @Test func refusesOtherTypesAndKinds() {
    let weights = ValueFacts.float(2, 1, 3)
    #expect(
      OperatorCase("Conv", [.float(1, 1, 5), weights], [Attribute("group", "two")]).refusal()
        == "'group' must be an integer")
    #expect(
      OperatorCase("Conv", [ValueFacts(.int64, nil), weights]).refusal()
        == "operand 0 is of type int64")
  }
}
