import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct MaskTests {
  private func mask(
    _ x: ValueFacts, axis: Int, keep: [Int], fill: String? = nil, blocks: Int? = nil
  ) -> OperatorCase {
    OperatorCase(
      "Mask", domain: "ai.prunec", opset: 1, [x],
      [Attribute("axis", axis), Attribute("keep", keep)]
        + (fill.map { [Attribute("fill", $0)] } ?? [])
        + (blocks.map { [Attribute("blocks", $0)] } ?? []))
  }

  @Test func replacesByZero() throws {
    let y = try mask(.counting(2, 3), axis: 1, keep: [0, 2]).evaluate()[0]
    #expect(y == Tensor([1, 0, 3, 4, 0, 6], shape: [2, 3]))
    let rows = try mask(.counting(2, 3), axis: -2, keep: [1]).evaluate()[0]
    #expect(rows.floats == [0, 0, 0, 4, 5, 6])
    #expect(try mask(.integers(1, 2, 3), axis: 0, keep: []).evaluate()[0].integers == [0, 0, 0])
    let whole = try mask(.counting(2), axis: 0, keep: [0, 1]).evaluate()[0]
    #expect(whole.floats == [1, 2])
  }

  /// Quantised numbers have a zero of their own.
  @Test func replacesByTheIntegerThatStandsForZero() throws {
    func mask(_ type: ElementType, _ zero: Int, fill: String = "zero") -> OperatorCase {
      let x = Tensor(wrapping: Array(1...6), to: type, shape: [2, 3])
      return OperatorCase(
        "Mask", domain: "ai.prunec", opset: 1, [ValueFacts(constant: x)],
        [
          Attribute("axis", 1), Attribute("keep", [0, 2]), Attribute("fill", fill),
          Attribute("zero", zero),
        ])
    }
    #expect(try mask(.uint8, 128).evaluate()[0].integers == [1, 128, 3, 4, 128, 6])
    #expect(try mask(.int8, -3).evaluate()[0].integers == [1, -3, 3, 4, -3, 6])
    #expect(
      mask(.uint8, 256).refusal() == "a zero of 256 does not go with fill zero of uint8")
    #expect(mask(.uint8, -1).refusal() != nil)
  }

  @Test func keepsTheMomentsOfWhatStays() throws {
    // The kept elements 2 and 4 have mean 3 and deviation 1.
    let even = try mask(
      .constant([2, 9, 9, 4], 1, 4), axis: 1, keep: [0, 3], fill: "moments"
    ).evaluate()[0]
    #expect(even.floats == [2, 4, 2, 4])
    let odd = try mask(
      .constant([9, 2, 9, 4, 9], 5, 1), axis: 0, keep: [1, 3], fill: "moments"
    ).evaluate()[0]
    #expect(
      isClose(odd.floats, [3 + Float(1.5).squareRoot(), 2, 3 - Float(1.5).squareRoot(), 4, 3]))
    #expect(
      mask(.float(4), axis: 0, keep: [0, 1, 2], fill: "moments").refusal()
        == "moments need none or two removed elements")
    #expect(
      mask(.float(4), axis: 0, keep: [], fill: "moments").refusal()
        == "moments need a kept element")
  }

  @Test func keepsTheMomentsOfEachBlock() throws {
    // The kept elements have mean 3 and deviation 1 in the first block, mean 10 in the last; nothing
    // of the one between is kept.
    let y = try mask(
      .constant([2, 9, 9, 4, 1, 1, 1, 1, 8, 0, 12, 0], 1, 12), axis: 1, keep: [0, 3, 8, 10],
      fill: "moments", blocks: 3
    ).evaluate()[0]
    #expect(y.floats == [2, 4, 2, 4, 0, 0, 0, 0, 8, 12, 12, 8])
    #expect(
      mask(.float(5), axis: 0, keep: [0], fill: "moments", blocks: 2).refusal()
        == "an extent of 5 does not divide into 2 blocks")
    #expect(mask(.float(4), axis: 0, keep: [0, 1, 2], fill: "moments", blocks: 2).refusal() != nil)
    #expect(mask(.float(4), axis: 0, keep: [0], blocks: 2).refusal() != nil)
    #expect(mask(.float(4), axis: 0, keep: [0], fill: "moments", blocks: 0).refusal() != nil)
  }

  @Test func fillsWithTheMeanOrWithoutBound() throws {
    let x = ValueFacts.constant([2, 9, 5, 1, 1, 3], 2, 3)
    func filled(_ fill: String) throws -> [Float] {
      try mask(x, axis: 1, keep: [0, 2], fill: fill).evaluate()[0].floats
    }
    #expect(try filled("mean") == [2, 3.5, 5, 1, 2, 3])
    #expect(try filled("lowest") == [2, -.infinity, 5, 1, -.infinity, 3])
    #expect(try filled("highest") == [2, .infinity, 5, 1, .infinity, 3])
    #expect(mask(x, axis: 1, keep: [], fill: "mean").refusal() == "a mean needs a kept element")
  }

  /// What the fills are for: a node that gathers the masked elements does not notice them.
  @Test(
    arguments: [
      ("ReduceMean", "mean"), ("ReduceMax", "lowest"), ("ReduceMin", "highest"),
      ("ReduceLogSumExp", "lowest"), ("ReduceSum", "zero"), ("ReduceL2", "zero"),
    ])
  func reductionsSeeWhatStays(type: String, fill: String) throws {
    let x = Tensor([0.5, -1, 9, 2, -7, 0.25, 3, 1, 4, -2], shape: [2, 5])
    func reduced(_ x: Tensor) throws -> [Float] {
      try OperatorCase(
        type, opset: 18, [ValueFacts(constant: x), .integers(1)]
      ).evaluate()[0].floats
    }
    let masked = try mask(
      ValueFacts(constant: x), axis: 1, keep: [0, 3, 4], fill: fill
    ).evaluate()[0]
    #expect(isClose(try reduced(masked), try reduced(x.keeping([0, 3, 4], alongAxis: 1))))
  }

  @Test(arguments: ["Softmax", "LogSoftmax"])
  func sharesSeeWhatStays(type: String) throws {
    let x = Tensor([0.5, -1, 9, 2, -7, 0.25, 3, 1, 4, -2], shape: [2, 5])
    func shares(_ x: Tensor) throws -> Tensor {
      try OperatorCase(type, [ValueFacts(constant: x)], [Attribute("axis", 1)]).evaluate()[0]
    }
    let masked = try mask(
      ValueFacts(constant: x), axis: 1, keep: [0, 3], fill: "lowest"
    ).evaluate()[0]
    let alone = try shares(x.keeping([0, 3], alongAxis: 1))
    #expect(isClose(try shares(masked).keeping([0, 3], alongAxis: 1).floats, alone.floats))
  }

  /// What the operator's documentation promises: the statistics leave the masked elements out.
  @Test(arguments: ["LayerNormalization", "RMSNormalization"], [[0, 1, 3], [1, 4], [2]])
  func normalizationsSeeWhatStays(type: String, keep: [Int]) throws {
    let x = Tensor([0.5, -1, 9, 2, -7, 0.25, 3, 1, 4, -2], shape: [2, 5])
    let scale = Tensor([1, 2, 3, -1, 5] as [Float], shape: [5])
    let normalized = { (x: Tensor, scale: Tensor) in
      try OperatorCase(
        type, opset: 23, [ValueFacts(constant: x), ValueFacts(constant: scale)],
        [Attribute("epsilon", Float(0.125))]
      ).evaluate()[0]
    }
    let masked = try mask(
      ValueFacts(constant: x), axis: 1, keep: keep, fill: "moments"
    ).evaluate()[0]
    let alone = try normalized(
      x.keeping(keep, alongAxis: 1), scale.keeping(keep, alongAxis: 0))
    #expect(
      isClose(try normalized(masked, scale).keeping(keep, alongAxis: 1).floats, alone.floats))
  }

  @Test func renumbersWhenItsAxisIsCut() throws {
    let call = mask(.float(2, 6), axis: -1, keep: [1, 3, 4])
    #expect(try call.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
    let cut: [AxisReference: [Int]] = [
      .operand(0, axis: 1): [0, 3, 4, 5], .result(axis: 1): [0, 3, 4, 5],
    ]
    #expect(try call.adaptations(cut) == ["keep=[1, 2]"])
    #expect(try call.adaptations([.operand(0, axis: 0): [1]]).isEmpty)
    #expect(try call.macs() == 0)
  }

  @Test func refusals() {
    let x = ValueFacts.float(2, 6)
    #expect(
      mask(x, axis: 1, keep: [1, 6]).refusal() == "'keep' has index 6 of an axis of extent 6")
    #expect(mask(x, axis: 1, keep: [2, 2]).refusal() == "'keep' must increase from zero or more")
    #expect(mask(x, axis: 1, keep: [-1, 2]).refusal() != nil)
    #expect(mask(x, axis: 1, keep: [Int.min]).refusal() != nil)
    #expect(mask(x, axis: Int.min, keep: []).refusal() != nil)
    #expect(mask(x, axis: 1, keep: [0], fill: "one").refusal() != nil)
    #expect(mask(.integers(1), axis: 0, keep: [0], fill: "moments").refusal() != nil)
    #expect(
      OperatorCase("Mask", domain: "ai.prunec", opset: 1, [x], [Attribute("axis", 0)]).refusal()
        == "'keep' is missing")
  }
}
