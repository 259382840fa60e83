import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// What is known of elements that operators move.
@Suite struct MovedElementsTests {
  /// The elements of result `index` as text, whatever the rank.
  private func elements(_ call: OperatorCase, _ index: Int = 0) throws -> String? {
    guard case .integers(let elements) = try call.infer()[index].contents else { return nil }
    return elements.map {
      switch $0 {
      case .fixed(let number): "\(number)"
      case .symbol(let name): name
      case .unknown: "?"
      }
    }.joined(separator: " ")
  }

  private let vector = ValueFacts.symbolic(.symbol("n"), .fixed(3), .unknown, .fixed(5))

  private var matrix: ValueFacts {
    ValueFacts(
      .int64, [.fixed(2), .fixed(2)],
      contents: .integers([.symbol("n"), .fixed(3), .unknown, .fixed(5)]))
  }

  @Test func movesAnyRank() throws {
    #expect(try elements(OperatorCase("Reshape", [vector, .integers(2, 2)])) == "n 3 ? 5")
    #expect(try elements(OperatorCase("Flatten", [matrix], [Attribute("axis", 0)])) == "n 3 ? 5")
    #expect(try elements(OperatorCase("Transpose", [matrix])) == "n ? 3 5")
    let backwards = OperatorCase(
      "Slice", [matrix, .integers(-1), .integers(.min), .integers(0), .integers(-1)])
    #expect(try elements(backwards) == "? 5 n 3")
    #expect(try elements(OperatorCase("Gather", [matrix, .integers(1)])) == "? 5")
    #expect(try elements(OperatorCase("Tile", [vector, .integers(2)])) == "n 3 ? 5 n 3 ? 5")
    #expect(
      try elements(OperatorCase("Expand", [.symbolic(.symbol("n")), .integers(2, 2)])) == "n n n n")
    let halves = OperatorCase(
      "Split", [matrix, .integers(1, 1)], results: 2, [Attribute("axis", 1)])
    #expect(try elements(halves, 0) == "n ?")
    #expect(try elements(halves, 1) == "3 5")
    #expect(
      try elements(OperatorCase("Pad", [vector, .integers(1, 1), .scalar(7)])) == "7 n 3 ? 5 7")
    #expect(try elements(OperatorCase("Pad", [vector, .integers(1, 1)])) == "0 n 3 ? 5 0")
    let joined = OperatorCase(
      "Concat", [vector, .computed(1), .integers(9)], [Attribute("axis", 0)])
    #expect(try elements(joined) == "n 3 ? 5 ? 9")
    #expect(
      try elements(OperatorCase("Concat", [.computed(1), .computed(1)], [Attribute("axis", 0)]))
        == nil)
  }

  @Test func computesAnyRank() throws {
    #expect(try elements(OperatorCase("Mul", [matrix, .integers(1, 2)])) == "n 6 ? 10")
    #expect(try elements(OperatorCase("Add", [matrix, .computed(2)])) == "? ? ? ?")
    #expect(
      try elements(OperatorCase("ConstantOfShape", [.integers(2, 2)])) == "0 0 0 0")
    #expect(
      try elements(
        OperatorCase("Where", [.truths([1, 0], 2, 1), matrix, .scalar(8)])) == "n 3 8 8")
    // Not a vector: no target or list of axes.
    #expect(try OperatorCase("Cast", [matrix], [Attribute("to", 7)]).contents() == nil)
  }

  /// Elements that look like the numbers that stand for others.
  @Test func numbersOfItsOwn() throws {
    let padded = OperatorCase("Pad", [vector, .integers(1, 0), .scalar(1 << 40)])
    #expect(try elements(padded) == "\(1 << 40) n 3 ? 5")
  }

  @Test func nothingOfLargeTensors() throws {
    let long = ValueFacts(
      .int64, [.fixed(1024)],
      contents: .integers([SymbolicInteger](repeating: .unknown, count: 1024)))
    #expect(try elements(OperatorCase("Tile", [long, .integers(1)])) != nil)
    #expect(try elements(OperatorCase("Tile", [long, .integers(2)])) == nil)
    let empty = ValueFacts(.int64, [.fixed(0), .fixed(1 << 40)], contents: .integers([]))
    #expect(try elements(OperatorCase("Add", [empty, empty])) == nil)
    #expect(try elements(OperatorCase("Transpose", [empty])) == nil)
  }

  @Test func padsThatAreKnownInPart() throws {
    let pads = ValueFacts.symbolic(
      .fixed(0), .fixed(0), .unknown, .fixed(0), .fixed(1), .unknown)
    let call = OperatorCase("Pad", [.float(-1, 4, 5), pads])
    #expect(try call.shape() == "n 5 ?")
    #expect(
      try call.relations() == ["X0.0 = Y0.0", "pin X0.1", "pin Y0.1", "pin X0.2", "pin Y0.2"])
  }
}
