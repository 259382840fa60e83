import Operators
import Testing

@Suite struct MaskTests {
  private func mask(
    _ x: ValueFacts, axis: Int, keep: [Int], fill: String? = nil
  ) -> OperatorCase {
    OperatorCase(
      "Mask", domain: "ai.prunec", opset: 1, [x],
      [Attribute("axis", axis), Attribute("keep", keep)]
        + (fill.map { [Attribute("fill", $0)] } ?? []))
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
        == "moments need a kept element, and none or two removed ones")
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
