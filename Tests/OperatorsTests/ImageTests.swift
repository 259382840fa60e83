import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct ImageTests {
  @Test func cropsAndPads() throws {
    func fitted(_ sizes: Int...) throws -> [Float] {
      let sizes = ValueFacts(constant: Tensor(sizes))
      return try OperatorCase("CenterCropPad", opset: 18, [.counting(1, 4), sizes]).evaluate()[0]
        .floats
    }
    #expect(try fitted(1, 2) == [2, 3])
    #expect(try fitted(1, 3) == [1, 2, 3])
    #expect(try fitted(1, 7) == [0, 1, 2, 3, 4, 0, 0])
    #expect(try fitted(2, 1) == [2, 0])
    let channels = OperatorCase("CenterCropPad", opset: 18, [.counting(4, 3), .integers(4, 5)])
    #expect(try channels.relations() == ["X0.0 = Y0.0", "pin X0.1", "pin Y0.1"])
    let kept: [AxisReference: [Int]] = [.operand(0, axis: 0): [1, 3], .result(axis: 0): [1, 3]]
    #expect(try channels.adaptedIntegers(kept) == [[2, 5]])
    let listed = OperatorCase(
      "CenterCropPad", opset: 18, [.float(4, 3), .integers(5)], [Attribute("axes", [-1])])
    #expect(try listed.shape() == "4 5")
    #expect(try listed.adaptedIntegers(kept) == [])
    #expect(
      OperatorCase("CenterCropPad", opset: 18, [.float(4), .integers(1, 2)]).refusal() != nil)
    for number in hostileNumbers {
      #expect(
        OperatorCase("CenterCropPad", opset: 18, [.counting(4), .integers(number)])
          .refusesToEvaluate())
    }
  }

  @Test func addsUpBlocks() throws {
    let overlapping = OperatorCase(
      "Col2Im", opset: 18, [.counting(1, 2, 2), .integers(1, 3), .integers(1, 2)])
    #expect(try overlapping.evaluate()[0] == Tensor([1, 5, 4], shape: [1, 1, 1, 3]))
    let strided = OperatorCase(
      "Col2Im", opset: 18, [.counting(1, 4, 2), .integers(2, 4), .integers(2, 2)],
      [Attribute("strides", [2, 2])])
    #expect(try strided.evaluate()[0].floats == [1, 3, 2, 4, 5, 7, 6, 8])
    let channels = OperatorCase(
      "Col2Im", opset: 18, [.counting(1, 8, 2), .integers(1, 5), .integers(1, 4)])
    #expect(try channels.relations() == ["X0.0 = Y0.0", "pin V0(4)", "X0.1 = Y0.1 * V0(4)"])
    #expect(
      try channels.commutes(withCut: [
        .operand(0, axis: 1): [4, 5, 6, 7], .result(axis: 1): [1],
      ]))
    #expect(
      try OperatorCase("Col2Im", opset: 18, [.float(-1, 8, 2), .computed(2), .integers(1, 4)])
        .shape()
        == "n 2 ? ?")
    func refusal(_ shape: [Int], _ image: [Int], _ block: [Int]) -> String? {
      OperatorCase(
        "Col2Im", opset: 18,
        [
          ValueFacts(.float32, shape.map { .fixed($0) }), ValueFacts(constant: Tensor(image)),
          ValueFacts(constant: Tensor(block)),
        ]
      ).refusal()
    }
    #expect(refusal([1, 3, 2], [1, 3], [1, 2]) == "an extent of 3 is no multiple of 2")
    #expect(refusal([1, 2, 4], [1, 3], [1, 2]) != nil)
    #expect(refusal([1, 2], [1, 3], [1, 2]) != nil)
    #expect(refusal([1, 2, 2], [1, 3], [2]) != nil)
    for number in hostileNumbers { #expect(refusal([1, 2, 2], [1, 3], [1, number]) != nil) }
  }

  @Test func unpools() throws {
    let pooled = OperatorCase(
      "MaxUnpool",
      [
        .counting(1, 1, 1, 2),
        ValueFacts(constant: Tensor([5, 2] as [Int], shape: [1, 1, 1, 2])),
      ], [Attribute("kernel_shape", [2, 2]), Attribute("strides", [2, 2])])
    #expect(try pooled.evaluate()[0] == Tensor([0, 0, 2, 0, 0, 1, 0, 0], shape: [1, 1, 2, 4]))
    #expect(
      try pooled.relations() == ["pin X0.0", "pin X0.1", "pin X0.2", "pin X0.3"])
    var larger = pooled
    larger.call.operands.append(.integers(1, 1, 2, 5))
    #expect(
      try larger.evaluate()[0] == Tensor([0, 0, 2, 0, 0, 1, 0, 0, 0, 0], shape: [1, 1, 2, 5]))
    let kernel = Attribute("kernel_shape", [2])
    for number in hostileNumbers {
      let place = ValueFacts(constant: Tensor([number], shape: [1, 1, 1]))
      #expect(OperatorCase("MaxUnpool", [.counting(1, 1, 1), place], [kernel]).refusesToEvaluate())
      let strides = Attribute("kernel_shape", [number])
      #expect(
        OperatorCase("MaxUnpool", [.counting(1, 1, 1), .computed(1)], [strides]).refusesToEvaluate()
      )
    }
    #expect(OperatorCase("MaxUnpool", [.float(1, 1, 1), .computed(1)]).refusal() != nil)
  }

  @Test func samplesAtPlaces() throws {
    func sampled(
      _ places: [Float], _ attributes: [Attribute] = [], opset: Int = 20
    ) throws -> [Float] {
      let grid = ValueFacts(constant: Tensor(places, shape: [1, places.count, 1]))
      return try OperatorCase("GridSample", opset: opset, [.counting(1, 1, 4), grid], attributes)
        .evaluate()[0].floats
    }
    let corners = Attribute("align_corners", 1)
    #expect(try sampled([-1, 0, 1], [corners]) == [1, 2.5, 4])
    #expect(try sampled([-0.75, 0, 0.75]) == [1, 2.5, 4])
    #expect(try sampled([-1, 1]) == [0.5, 2])
    #expect(try sampled([-1, 9], [Attribute("padding_mode", "border")]) == [1, 4])
    #expect(try sampled([-1.5], [Attribute("padding_mode", "reflection")]) == [1.5])
    #expect(
      try sampled([-3, 3], [corners, Attribute("padding_mode", "reflection")]) == [4, 1])
    #expect(try sampled([-0.3, 0.3], [Attribute("mode", "nearest")]) == [2, 3])
    #expect(try sampled([0], [Attribute("mode", "cubic")]) == [2.5])
    #expect(try sampled([.nan, .infinity, -1e30]) == [0, 0, 0])
    for padding in ["border", "reflection"] {
      #expect(
        try sampled([.nan, .infinity, -1e30], [Attribute("padding_mode", padding)]).count == 3)
    }
    let image = OperatorCase("GridSample", opset: 16, [.float(-1, 8, 5, 6), .float(-1, 3, 4, 2)])
    #expect(try image.shape() == "n 8 3 4")
    #expect(
      try image.relations() == [
        "X0.0 = Y0.0", "X1.0 = Y0.0", "X0.1 = Y0.1", "X1.1 = Y0.2", "pin X0.2", "X1.2 = Y0.3",
        "pin X0.3",
      ])
    let grid = ValueFacts.constant([0, -1, 0.5, 1], 1, 1, 2, 2)
    #expect(
      try OperatorCase("GridSample", opset: 16, [.counting(1, 3, 2, 2), grid]).commutes(withCut: [
        .operand(0, axis: 1): [0, 2], .result(axis: 1): [0, 2],
        .operand(1, axis: 2): [1], .result(axis: 3): [1],
      ]))
    #expect(
      OperatorCase("GridSample", opset: 16, [.float(1, 1, 2, 2), .float(1, 2, 2, 3)]).refusal()
        != nil)
    #expect(
      OperatorCase(
        "GridSample", opset: 16, [.float(1, 1, 2), .float(1, 2, 1)],
        [
          Attribute("mode", "area")
        ]
      ).refusal() == "'mode' is none that is known")
  }

  @Test func mapsPlaces() throws {
    let theta = ValueFacts.constant([1, 0, 0.5, 0, 2, 0], 1, 2, 3)
    let corners = Attribute("align_corners", 1)
    let grid = OperatorCase("AffineGrid", opset: 20, [theta, .integers(1, 3, 1, 2)], [corners])
    #expect(try grid.shape() == "1 1 2 2")
    #expect(try grid.evaluate()[0].floats == [-0.5, -2, 1.5, -2])
    #expect(
      try OperatorCase("AffineGrid", opset: 20, [theta, .integers(1, 3, 2, 2)]).evaluate()[0].floats
        == [0, -1, 1, -1, 0, 1, 1, 1])
    #expect(try grid.relations() == [])
    #expect(
      try OperatorCase("AffineGrid", opset: 20, [.float(-1, 3, 4), .computed(5)]).shape()
        == "? ? ? ? 3")
    #expect(OperatorCase("AffineGrid", opset: 20, [theta, .integers(1, 3, 2)]).refusal() != nil)
    #expect(OperatorCase("AffineGrid", opset: 20, [theta, .integers(2, 3, 2, 2)]).refusal() != nil)
    for number in hostileNumbers {
      #expect(
        OperatorCase("AffineGrid", opset: 20, [theta, .integers(1, 1, number, number)])
          .refusesToEvaluate())
    }
  }

  @Test func normalizesTogether() throws {
    let x = OperatorCase("MeanVarianceNormalization", [.counting(2, 2, 1, 1)])
    #expect(try isClose(x.evaluate()[0].floats, [-1, -1, 1, 1]))
    #expect(
      try x.relations() == [
        "X0.0 = Y0.0", "gather X0.0 but moments", "X0.1 = Y0.1", "X0.2 = Y0.2",
        "gather X0.2 but moments",
        "X0.3 = Y0.3", "gather X0.3 but moments",
      ])
    let last = OperatorCase(
      "MeanVarianceNormalization", [.constant([1, 3, 5, 5], 2, 2)], [Attribute("axes", [-1])])
    #expect(try isClose(last.evaluate()[0].floats, [-1, 1, 0, 0]))
    #expect(OperatorCase("MeanVarianceNormalization", [.float(2, 3)]).refusal() != nil)
  }
}
