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

  @Test func replacesByTheMeanOfWhatIsKept() throws {
    let y = try mask(.counting(3, 2), axis: 0, keep: [0, 2], fill: "mean").evaluate()[0]
    #expect(y.floats == [1, 2, 3, 4, 5, 6])
    let last = try mask(.counting(2, 3), axis: 1, keep: [1, 2], fill: "mean").evaluate()[0]
    #expect(last.floats == [2.5, 2, 3, 5.5, 5, 6])
  }

  /// The equation in the operator's documentation.
  @Test func maskedLayerNormalizationIsThatOfTheKeptElements() throws {
    let elements: [Float] = [0.5, -1, 9, 2, -7, 0.25, 3, 1, 4, -2]
    let (keep, n, k) = ([0, 1, 3], 5, 3)
    let (scale, bias): ([Float], [Float]) = ([1, 2, 3, -1, 5], [0, 1, 2, 3, 4])
    let epsilon: Float = 0.125
    let share = Float(k) / Float(n)
    let masked = try mask(
      .constant(elements, 2, 5), axis: 1, keep: keep, fill: "mean"
    ).evaluate()[0]
    let normalized = try OperatorCase(
      "LayerNormalization",
      [
        ValueFacts(constant: masked), .constant(scale.map { $0 * share.squareRoot() }, 5),
        .constant(bias, 5),
      ], [Attribute("epsilon", epsilon * share)]
    ).evaluate()[0]

    let kept = { (tensor: Tensor) in
      ValueFacts(constant: tensor.keeping(keep, alongAxis: tensor.rank - 1))
    }
    let alone = try OperatorCase(
      "LayerNormalization",
      [
        kept(Tensor(elements, shape: [2, 5])), kept(Tensor(scale, shape: [5])),
        kept(Tensor(bias, shape: [5])),
      ], [Attribute("epsilon", epsilon)]
    ).evaluate()[0]
    #expect(isClose(normalized.keeping(keep, alongAxis: 1).floats, alone.floats))
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
    #expect(mask(.integers(1), axis: 0, keep: [0], fill: "mean").refusal() != nil)
    #expect(
      OperatorCase("Mask", domain: "ai.prunec", opset: 1, [x], [Attribute("axis", 0)]).refusal()
        == "'keep' is missing")
  }
}
