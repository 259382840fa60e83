import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct QuantizationTests {
  private func integers(_ type: ElementType, _ elements: [Int], _ shape: Int...) -> ValueFacts {
    let tensor =
      type.bitWidth < 8
      ? Tensor(packing: elements, to: type, shape: shape)
      : Tensor(elements, shape: shape).as(type)
    return ValueFacts(constant: tensor)
  }

  private func value(_ type: ElementType, _ shape: Int...) -> ValueFacts {
    ValueFacts(type, shape.map { .fixed($0) })
  }

  // MARK: QuantizeLinear

  /// Halves go to the even neighbour, and what does not fit to the bound.
  @Test func roundsAndSaturates() throws {
    let x = ValueFacts.constant([0, 1, 3, 5, -1, 1000, -1000, .infinity, .nan], 9)
    let unsigned = OperatorCase("QuantizeLinear", [x, .constant([2]), integers(.uint8, [10])])
    #expect(try unsigned.evaluate()[0].integers == [10, 10, 12, 12, 10, 255, 0, 255, 0])
    #expect(try unsigned.evaluate()[0].elementType == .uint8)
    let plain = OperatorCase("QuantizeLinear", [x, .constant([2])])
    #expect(try plain.evaluate()[0].integers == [0, 0, 2, 2, 0, 255, 0, 255, 0])
  }

  @Test(arguments: [
    (ElementType.int8, [-128, 127]), (.uint16, [0, 65535]), (.int16, [-32768, 32767]),
    (.int4, [-8, 7]), (.uint4, [0, 15]), (.int2, [-2, 1]), (.uint2, [0, 3]),
  ])
  func boundsOfTypes(type: ElementType, bounds: [Int]) throws {
    let call = OperatorCase(
      "QuantizeLinear", opset: 25, [.constant([-1e6, 1e6], 2), .constant([1])],
      [Attribute("output_dtype", Int(type.rawValue))])
    let y = try call.evaluate()[0]
    #expect(y.elementType == type)
    #expect(y.integers == bounds)
  }

  @Test func oneScaleForEachIndexOrBlock() throws {
    let perAxis = OperatorCase(
      "QuantizeLinear",
      [.counting(2, 2), .constant([1, 2], 2), integers(.int8, [0, 1], 2)], [Attribute("axis", -2)])
    #expect(try perAxis.evaluate()[0].integers == [1, 2, 3, 3])
    let blocked = OperatorCase(
      "QuantizeLinear", opset: 21, [.counting(2, 3), .constant([1, 2, 3, 4], 2, 2)],
      [Attribute("axis", 1), Attribute("block_size", 2)])
    #expect(try blocked.evaluate()[0].integers == [1, 2, 2, 1, 2, 2])
  }

  /// The quotient is rounded to half precision before it is rounded to an integer.
  @Test func precisionOfTheDivision() throws {
    let x = ValueFacts.constant([2049.6], 1)
    func call(_ attributes: [Attribute]) -> OperatorCase {
      OperatorCase(
        "QuantizeLinear", opset: 23, [x, .constant([1]), integers(.uint16, [0])], attributes)
    }
    #expect(try call([]).evaluate()[0].integers == [2050])
    #expect(try call([Attribute("precision", 10)]).evaluate()[0].integers == [2050])
    let half = OperatorCase(
      "QuantizeLinear", opset: 23,
      [.constant([2049.4], 1), .constant([1]), integers(.uint16, [0])],
      [Attribute("precision", 10)])
    #expect(try half.evaluate()[0].integers == [2050])
  }

  // MARK: DequantizeLinear

  @Test func dequantizes() throws {
    let whole = OperatorCase(
      "DequantizeLinear",
      [integers(.uint8, [0, 128, 255], 3), .constant([2]), integers(.uint8, [128])])
    #expect(try whole.evaluate()[0] == Tensor([-256, 0, 254], shape: [3]))
    let bias = OperatorCase(
      "DequantizeLinear",
      [integers(.int32, [100_000, -3], 2), .constant([0.5, 2], 2), integers(.int32, [0, 0], 2)],
      [Attribute("axis", 0)])
    #expect(try bias.evaluate()[0].floats == [50000, -6])
    let packed = OperatorCase(
      "DequantizeLinear", opset: 21,
      [
        integers(.int4, [-8, 7, 1, 2, 3, 4], 2, 3), .constant([1, 2, 3, 4], 2, 2),
        integers(.int4, [0, 1, -1, 0], 2, 2),
      ], [Attribute("axis", 1), Attribute("block_size", 2)])
    #expect(try packed.evaluate()[0].floats == [-8, 7, 0, 9, 12, 16])
    let narrow = OperatorCase(
      "DequantizeLinear", opset: 23, [integers(.int8, [3], 1), .constant([0.1])],
      [Attribute("output_dtype", 10)])
    #expect(try narrow.evaluate()[0].elementType == .float16)
  }

  /// Zero stands for itself: what is masked before stays masked after.
  @Test func zeroStaysZero() throws {
    for zero in [0, 7, 255] {
      let operands = [ValueFacts.constant([0], 1), .constant([0.3]), integers(.uint8, [zero])]
      let quantized = try OperatorCase("QuantizeLinear", operands).evaluate()[0]
      let back = OperatorCase(
        "DequantizeLinear", [ValueFacts(constant: quantized)] + operands.dropFirst())
      #expect(try back.evaluate()[0].floats == [0])
    }
  }

  // MARK: Facts

  @Test func infers() throws {
    let call = OperatorCase("QuantizeLinear", [.float(-1, 3), .float(3), value(.int8, 3)])
    #expect(try call.shape() == "n 3")
    #expect(try call.infer()[0].elementType == .int8)
    let half = ValueFacts(.float16, [])
    #expect(
      try OperatorCase("DequantizeLinear", opset: 19, [value(.int8, 2), half]).infer()[0]
        .elementType == .float16)
    let dynamic = OperatorCase("DynamicQuantizeLinear", [.float(2, -1)], results: 3)
    #expect(try dynamic.infer().map(\.elementType) == [.uint8, .float32, .uint8])
    #expect(try dynamic.shape() == "2 n")
    #expect(try dynamic.shape(1) == "")
  }

  @Test func refuses() {
    func quantize(
      _ operands: [ValueFacts?], _ attributes: [Attribute] = []
    ) -> String? { OperatorCase("QuantizeLinear", opset: 21, operands, attributes).refusal() }
    let (x, scale) = (ValueFacts.float(2, 3), ValueFacts.float(3))
    #expect(quantize([x, scale]) == nil)
    #expect(
      quantize([x, .float(2)]) == "operand 1 has 2 elements for an axis of another extent")
    #expect(quantize([x, .float(2, 3)]) == "operand 1 has 2 axes")
    #expect(quantize([x, scale, value(.float32, 3)]) == "the zero point is of type float")
    #expect(quantize([value(.int64, 2, 3), scale]) == "operand 0 is of type int64")
    #expect(
      quantize([x, scale, value(.int8, 3)], [Attribute("output_dtype", 2)])
        == "the zero point is of type int8, the result of another")
    #expect(quantize([x, scale], [Attribute("output_dtype", 99)]) == "there is no element type 99")
    for number in hostileNumbers {
      #expect(quantize([x, scale], [Attribute("axis", number)]) != nil)
      #expect(quantize([x, scale], [Attribute("block_size", number)]) != nil)
      #expect(quantize([x, scale], [Attribute("output_dtype", number)]) != nil)
    }
    #expect(quantize([x, .float(2, 2)], [Attribute("block_size", 2)]) == nil)
    #expect(
      quantize([x, .float(2, 3)], [Attribute("block_size", 2)])
        == "operand 1 has extent 3 instead of 2")
    #expect(
      quantize([x, .float(2, 2, 1)], [Attribute("block_size", 2)])
        == "operand 1 has 3 axes instead of 2")

    func dequantize(_ operands: [ValueFacts?]) -> String? {
      OperatorCase("DequantizeLinear", operands).refusal()
    }
    #expect(dequantize([x, scale]) == "x is of type float")
    #expect(dequantize([value(.int8, 2, 3), value(.int8, 3)]) == "the scale is of type int8")
    #expect(
      dequantize([value(.int8, 2, 3), scale, value(.uint8, 3)])
        == "operands are of types int8 and uint8")
    #expect(OperatorCase("DynamicQuantizeLinear", [value(.float16, 2)]).refusal() != nil)
  }

  // MARK: Channels

  @Test func scalesGoWithTheirAxis() throws {
    let call = OperatorCase(
      "DequantizeLinear", [value(.int8, 4, 3), .float(4), value(.int8, 4)],
      [Attribute("axis", 0)])
    #expect(
      try call.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "X1.0 = X0.0", "X2.0 = X0.0"])
    let whole = OperatorCase("QuantizeLinear", [.float(4, 3), .float(1)])
    #expect(try whole.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
    let unknown = OperatorCase("QuantizeLinear", [.float(4, 3), .float(-1)])
    #expect(
      try unknown.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "pin X0.0", "pin X0.1"])
  }

  @Test func blocksComeApart() throws {
    let call = OperatorCase(
      "DequantizeLinear", opset: 21, [value(.int8, 6, 3), .float(3, 3), value(.int8, 3, 3)],
      [Attribute("axis", 0), Attribute("block_size", 2)])
    #expect(
      try call.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X1.1 = X0.1", "X2.1 = X0.1", "X0.0 = X1.0 * V0(2)",
        "X2.0 = X1.0",
      ])
    let whole: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [2, 3], .operand(1, axis: 0): [1], .result(axis: 0): [2, 3],
    ]
    #expect(try call.adaptations(whole).isEmpty)
    let places: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [0, 2, 4], .result(axis: 0): [0, 2, 4],
    ]
    #expect(try call.adaptations(places) == ["block_size=1"])
    let uneven = OperatorCase(
      "DequantizeLinear", opset: 21, [value(.int8, 5, 3), .float(3, 3)],
      [Attribute("axis", 0), Attribute("block_size", 2)])
    #expect(try uneven.relations().last == "pin X0.0")
  }

  @Test func cutTensorsAreDequantizedAlike() throws {
    let call = OperatorCase(
      "DequantizeLinear", opset: 21,
      [
        integers(.int8, [1, 2, 3, 4, 5, 6, 7, 8], 4, 2), .constant([1, 2, 3, 4], 2, 2),
        integers(.int8, [1, 0, 1, 0], 2, 2),
      ], [Attribute("axis", 0), Attribute("block_size", 2)])
    let whole: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [2, 3], .operand(1, axis: 0): [1], .operand(2, axis: 0): [1],
      .result(axis: 0): [2, 3],
    ]
    #expect(try call.commutes(withCut: whole))
    let places: [AxisReference: [Int]] = [.operand(0, axis: 0): [1, 3], .result(axis: 0): [1, 3]]
    #expect(try call.commutes(withCut: places))
  }

  // MARK: DynamicQuantizeLinear

  /// The expectations are onnxruntime's.
  @Test(arguments: [
    ([1, 2, 3], [85, 170, 255], 0.01176471, 0), ([-1, 2, 0.5], [0, 255, 127], 0.01176471, 85),
    ([-3, -1], [0, 170], 0.01176471, 255), ([0, 0], [0, 0], 1, 0), ([], [], 1, 0),
  ])
  func findsItsOwnScale(x: [Float], y: [Int], scale: Float, zeroPoint: Int) throws {
    let facts = ValueFacts(constant: Tensor(x, shape: [x.count]))
    let results = try OperatorCase("DynamicQuantizeLinear", [facts], results: 3).evaluate()
    #expect(results[0].integers == y)
    #expect(isClose(results[1].floats, [scale]))
    #expect(results[2].integers == [zeroPoint])
  }

  /// The scale is that of what stays, if what goes has been zero.
  @Test func itsRangeIsMaskedLikeASum() throws {
    let call = OperatorCase("DynamicQuantizeLinear", [.float(2, 3)], results: 3)
    #expect(
      try call.relations() == ["X0.0 = Y0.0", "sum X0.0", "X0.1 = Y0.1", "sum X0.1"])
    let masked = OperatorCase("DynamicQuantizeLinear", [.constant([0, 1, 2], 3)], results: 3)
    let shrunk = OperatorCase("DynamicQuantizeLinear", [.constant([1, 2], 2)], results: 3)
    #expect(try masked.evaluate()[1] == shrunk.evaluate()[1])
    #expect(try masked.evaluate()[2] == shrunk.evaluate()[2])
  }
}

extension Tensor {
  /// The integers of the tensor as another type of whole bytes.
  fileprivate func `as`(_ type: ElementType) -> Tensor {
    switch type {
    case .int8: Tensor(type, shape: shape, elements: integers.map { Int8($0) })
    case .uint8: Tensor(type, shape: shape, elements: integers.map { UInt8($0) })
    case .uint16: Tensor(type, shape: shape, elements: integers.map { UInt16($0) })
    default: Tensor(type, shape: shape, elements: integers.map { Int32($0) })
    }
  }
}
