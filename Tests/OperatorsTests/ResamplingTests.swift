import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct ResizeTests {
  private let linear = Attribute("mode", "linear")

  private func scaled(
    _ data: ValueFacts, _ scales: [Float], _ attributes: [Attribute] = [], opset: Int = 19
  ) -> OperatorCase {
    let scales = ValueFacts(constant: Tensor(scales, shape: [scales.count]))
    return OperatorCase("Resize", opset: opset, [data, nil, scales], attributes)
  }

  private func sized(
    _ data: ValueFacts, _ sizes: ValueFacts, _ attributes: [Attribute] = []
  ) -> OperatorCase {
    OperatorCase("Resize", opset: 19, [data, nil, nil, sizes], attributes)
  }

  @Test func infersExtents() throws {
    #expect(try scaled(.float(-1, 3, 5), [1, 1, 2]).shape() == "n 3 10")
    #expect(try scaled(.float(-1, 3, 5), [2, 1, 0.5]).shape() == "? 3 2")
    // Ten times 0.7 is seven in single precision, and less in double precision.
    #expect(try scaled(.float(10), [0.7]).shape() == "7")
    #expect(try scaled(.float(4, 4), [2], [Attribute("axes", [-1])]).shape() == "4 8")
    #expect(try sized(.float(-1, 3, 5), .integers(2, 3, 7)).shape() == "2 3 7")
    #expect(
      try sized(.float(-1, 3, 5), .symbolic(.symbol("n"), .fixed(3), .unknown)).shape() == "n 3 ?")
    #expect(try sized(.float(4, 4), .computed(2)).shape() == "? ?")
    #expect(try sized(ValueFacts(.float32, nil), .integers(2)).shape() == "none")
    // Before opset 13 the operand that is not meant is empty.
    let empty = ValueFacts(constant: Tensor([Float](), shape: [0]))
    let old = OperatorCase("Resize", opset: 11, [.float(2, 2), empty, empty, .integers(2, 4)])
    #expect(try old.shape() == "2 4")
    let first = OperatorCase("Resize", opset: 10, [.float(2, 2), .constant([1, 2], 2)])
    #expect(try first.shape() == "2 4")
    // Scales that are computed in part.
    let scales = ValueFacts(
      .float32, [.fixed(3)], contents: .integers([.fixed(1), .fixed(1), .unknown]))
    let dynamic = OperatorCase("Resize", opset: 10, [.float(-1, 3, 5), scales])
    #expect(try dynamic.shape() == "n 3 ?")
    #expect(
      try dynamic.relations() == ["pin X0.0", "pin Y0.0", "X0.1 = Y0.1", "pin X0.2", "pin Y0.2"])
  }

  @Test func keepsAspectRatios() throws {
    func shape(_ policy: String, _ attributes: [Attribute] = []) throws -> String {
      try sized(
        .float(2, 4), .integers(7, 8), [Attribute("keep_aspect_ratio_policy", policy)]
      ).shape()
    }
    #expect(try shape("stretch") == "7 8")
    #expect(try shape("not_larger") == "4 8")
    #expect(try shape("not_smaller") == "7 14")
    let larger = Attribute("keep_aspect_ratio_policy", "not_larger")
    let tied = sized(.float(2, 4, 4), .integers(4, 4), [larger, Attribute("axes", [1, 2])])
    #expect(
      try tied.relations() == ["X0.0 = Y0.0", "pin X0.1", "pin Y0.1", "pin X0.2", "pin Y0.2"])
    #expect(try sized(.float(-1, 4), .integers(4, 4), [larger]).shape() == "? ?")
  }

  @Test func refusesWhatDoesNotFit() {
    #expect(OperatorCase("Resize", opset: 19, [.float(2)]).refusal() != nil)
    #expect(scaled(.float(2, 2), [1]).refusal() != nil)
    #expect(scaled(.float(2), [0]).refusal() == "a scale is 0.0")
    #expect(scaled(.float(2), [.nan]).refusal() != nil)
    #expect(scaled(.float(2), [.infinity]).refusal() != nil)
    #expect(scaled(.float(2), [1], [Attribute("mode", "other")]).refusal() != nil)
    #expect(
      scaled(.float(2), [1], [Attribute("coordinate_transformation_mode", "other")]).refusal()
        == "'coordinate_transformation_mode' is none that is known")
    #expect(
      scaled(.float(2), [1], [Attribute("coordinate_transformation_mode", "tf_crop_and_resize")])
        .refusal() == "there is no roi")
    #expect(sized(.float(2), .integers(1, 2)).refusal() != nil)
    #expect(sized(.float(0), .integers(1)).refusal() == "there is nothing to resize")
    #expect(scaled(.float(1 << 40), [1e30]).refusal() == "an extent is out of range")
    for number in hostileNumbers {
      #expect(sized(.counting(3), .integers(number)).refusesToEvaluate())
      #expect(scaled(.float(3), [1], [Attribute("axes", [number])]).refusal() != nil)
    }
  }

  @Test func keepsChannels() throws {
    let up = scaled(.float(-1, 8, 4, 4), [1, 1, 2, 2])
    #expect(
      try up.relations() == [
        "pin X0.0", "pin Y0.0", "X0.1 = Y0.1", "pin X0.2", "pin Y0.2", "pin X0.3", "pin Y0.3",
      ])
    let constant = sized(.counting(1, 4, 2, 2), .integers(1, 4, 4, 4), [linear])
    #expect(try constant.relations()[1] == "X0.1 = Y0.1")
    let kept: [AxisReference: [Int]] = [
      .operand(0, axis: 1): [0, 3], .result(axis: 1): [0, 3],
    ]
    #expect(try constant.adaptedIntegers(kept) == [[1, 2, 4, 4]])
    #expect(try constant.commutes(withCut: kept))
    let listed = sized(.counting(1, 4, 2), .integers(5, 4), [Attribute("axes", [2, 1])])
    #expect(try listed.adaptedIntegers(kept) == [[5, 2]])
    #expect(try listed.commutes(withCut: kept))
    let spatial = sized(.counting(1, 4, 2), .integers(5), [Attribute("axes", [2])])
    #expect(try spatial.adaptedIntegers(kept) == [])
    #expect(try spatial.commutes(withCut: kept))
    // A known number among sizes that are computed is put in.
    let computed = sized(.float(-1, 8, 4), .symbolic(.symbol("n"), .fixed(8), .unknown))
    #expect(
      try computed.relations() == [
        "pin X0.0", "pin Y0.0", "X0.1 = Y0.1", "pin X0.2", "pin Y0.2",
      ])
    #expect(try computed.adaptations(kept) == ["X3[1: 2]"])
    // A place half an element on is another element, unless it is rounded down.
    let places = Attribute("coordinate_transformation_mode", "tf_half_pixel_for_nn")
    #expect(
      try scaled(.float(4), [1], [places, Attribute("nearest_mode", "ceil")], opset: 11)
        .relations() == ["pin X0.0", "pin Y0.0"])
    #expect(
      try scaled(.float(4), [1], [places, Attribute("nearest_mode", "floor")], opset: 11)
        .relations() == ["X0.0 = Y0.0"])
  }

  @Test func takesNeighbours() throws {
    func elements(_ rounding: String, _ coordinates: String = "asymmetric") throws -> [Float] {
      try scaled(
        .counting(4), [1.5],
        [
          Attribute("nearest_mode", rounding),
          Attribute("coordinate_transformation_mode", coordinates),
        ]
      ).evaluate()[0].floats
    }
    #expect(try elements("floor") == [1, 1, 2, 3, 3, 4])
    #expect(try elements("ceil") == [1, 2, 3, 3, 4, 4])
    #expect(try elements("round_prefer_floor", "half_pixel") == [1, 1, 2, 3, 3, 4])
    #expect(try elements("round_prefer_ceil", "half_pixel") == [1, 2, 2, 3, 4, 4])
    #expect(try elements("floor", "tf_half_pixel_for_nn") == [1, 2, 2, 3, 4, 4])
    let words = ValueFacts(constant: Tensor(strings: [[97], [98]], shape: [2]))
    #expect(
      try OperatorCase("Resize", opset: 10, [words, .constant([2], 1)]).evaluate()[0].strings
        == [[97], [97], [98], [98]])
  }

  @Test func interpolates() throws {
    let half = Attribute("coordinate_transformation_mode", "half_pixel")
    #expect(
      try scaled(.counting(2), [2], [linear, half]).evaluate()[0].floats == [1, 1.25, 1.75, 2])
    let corners = Attribute("coordinate_transformation_mode", "align_corners")
    #expect(try scaled(.counting(2), [2.5], [linear, corners]).evaluate()[0].shape == [5])
    #expect(
      try scaled(.counting(2), [2.5], [linear, corners]).evaluate()[0].floats == [
        1, 1.25, 1.5, 1.75, 2,
      ])
    // A mean of everything within reach, rather than of two.
    #expect(
      try isClose(
        scaled(.counting(8), [0.25], [linear, Attribute("antialias", 1)]).evaluate()[0].floats,
        [2.65625, 6.34375]))
    #expect(
      try isClose(
        scaled(.counting(4), [2], [Attribute("mode", "cubic"), Attribute("exclude_outside", 1)])
          .evaluate()[0].floats.map { $0.rounded() },
        [1, 1, 2, 2, 3, 3, 4, 4]))
    // Integers are rounded.
    #expect(
      try scaled(.integers(1, 4), [2], [linear]).evaluate()[0] == Tensor([1, 2, 3, 4]))
    #expect(scaled(.truths([0, 1], 2), [2], [linear]).refusesToEvaluate())
  }

  @Test func crops() throws {
    let crop = Attribute("coordinate_transformation_mode", "tf_crop_and_resize")
    func cropped(_ start: Float, _ end: Float) throws -> [Float] {
      try OperatorCase(
        "Resize", opset: 19, [.counting(5), .constant([start, end], 2), nil, .integers(3)],
        [crop, linear, Attribute("extrapolation_value", Float(9))]
      ).evaluate()[0].floats
    }
    #expect(try cropped(0.25, 0.75) == [2, 3, 4])
    #expect(try cropped(0.5, 1.5) == [3, 5, 9])
    #expect(try cropped(.nan, 1) == [9, 9, 9])
    // How many elements scales give of a part is read in two ways.
    #expect(
      try OperatorCase(
        "Resize", opset: 19, [.float(5), .constant([0, 0.5], 2), .constant([1], 1)], [crop]
      ).shape() == "?")
  }
}

@Suite struct UpsampleTests {
  @Test func repeats() throws {
    let old = OperatorCase(
      "Upsample", opset: 7, [.counting(1, 2)], [Attribute("scales", .floats([1, 2]))])
    #expect(try old.evaluate()[0] == Tensor([1, 1, 2, 2], shape: [1, 4]))
    #expect(try old.relations() == ["X0.0 = Y0.0", "pin X0.1", "pin Y0.1"])
    let linear = OperatorCase(
      "Upsample", opset: 9, [.counting(2), .constant([2], 1)], [Attribute("mode", "linear")])
    #expect(try linear.evaluate()[0].floats == [1, 1.5, 2, 2])
    #expect(try OperatorCase("Upsample", opset: 9, [.float(2), .float(1)]).shape() == "?")
    #expect(OperatorCase("Upsample", opset: 7, [.float(2)]).refusal() != nil)
    #expect(
      OperatorCase("Upsample", opset: 7, [.float(2)], [Attribute("scales", .floats([0.5]))])
        .refusal() != nil)
    #expect(
      OperatorCase(
        "Upsample", opset: 9, [.float(2), .constant([1], 1)], [Attribute("mode", "cubic")]
      )
      .refusal() != nil)
    #expect(OperatorRegistry.find(OperationName("Upsample"), opset: 10) == nil)
  }
}
