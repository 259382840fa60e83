import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct SliceTests {
  @Test func takesRanges() throws {
    let data = ValueFacts.counting(2, 5)
    func elements(_ start: Int, _ end: Int, _ step: Int) throws -> [Float] {
      try OperatorCase(
        "Slice", [data, .integers(start), .integers(end), .integers(1), .integers(step)]
      ).evaluate()[0].floats
    }
    #expect(try elements(1, 3, 1) == [2, 3, 7, 8])
    #expect(try elements(-2, .max, 1) == [4, 5, 9, 10])
    #expect(try elements(0, 5, 2) == [1, 3, 5, 6, 8, 10])
    #expect(try elements(-1, .min, -1) == [5, 4, 3, 2, 1, 10, 9, 8, 7, 6])
    #expect(try elements(3, 0, -2) == [4, 2, 9, 7])
    #expect(try elements(3, 1, 1) == [])
    #expect(try elements(.max, .min, .min) == [5, 10])
    #expect(try elements(.min, .max, .max) == [1, 6])
    let old = OperatorCase(
      "Slice", opset: 9, [data], [Attribute("starts", [1]), Attribute("ends", [2])])
    #expect(try old.evaluate()[0].floats == [6, 7, 8, 9, 10])
    for first in hostileNumbers {
      for second in hostileNumbers {
        for step in hostileNumbers + [1, -1] { _ = try elements(first, second, step) }
      }
    }
  }

  @Test func infersWhatIsKnown() throws {
    #expect(
      try OperatorCase("Slice", [.float(-1, 5), .integers(0), .integers(.max), .integers(0)])
        .shape()
        == "n 5")
    #expect(
      try OperatorCase("Slice", [.float(-1, 5), .integers(0), .integers(3), .integers(0)]).shape()
        == "? 5")
    #expect(
      try OperatorCase("Slice", [.float(4, 5), .computed(1), .computed(1), .integers(1)]).shape()
        == "4 ?")
    #expect(try OperatorCase("Slice", [.float(4, 5), .computed(1), .computed(1)]).shape() == "? ?")
    #expect(
      try OperatorCase(
        "Slice",
        [
          .symbolic(.symbol("n"), .fixed(3), .fixed(4)), .integers(2), .integers(-4),
          .integers(0), .integers(-1),
        ]
      ).contents() == "4 3 n")
    #expect(
      OperatorCase("Slice", [.float(4), .integers(0), .integers(1), .integers(0), .integers(0)])
        .refusal() == "a step is zero")
    #expect(OperatorCase("Slice", [.float(4), .integers(0), .integers(1, 2)]).refusal() != nil)
    #expect(OperatorCase("Slice", [.float(4), .integers(0, 0), .integers(1, 1)]).refusal() != nil)
    #expect(OperatorCase("Slice", [.float(4)]).refusal() != nil)
  }

  @Test func recomputesPositions() throws {
    let middle = OperatorCase(
      "Slice", [.counting(2, 6), .integers(1), .integers(-1), .integers(1)])
    #expect(try middle.relations() == ["X0.0 = Y0.0", "Y0.1 = X0.1 from 1 by 1"])
    let kept: [AxisReference: [Int]] = [
      .operand(0, axis: 1): [1, 3, 5], .result(axis: 1): [0, 2],
    ]
    #expect(try middle.adaptedIntegers(kept) == [[0], [2]])
    #expect(try middle.commutes(withCut: kept))
    // Each second index is at one place of each pair, and pairs can go.
    let odd = OperatorCase(
      "Slice", [.counting(8), .integers(1), .integers(.max), .integers(0), .integers(2)])
    #expect(try odd.relations() == ["pin V0(2)", "X0.0 = Y0.0 * V0(2)"])
    let pairs: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [0, 1, 4, 5], .result(axis: 0): [0, 2],
    ]
    #expect(try odd.adaptedIntegers(pairs) == [[1], [4]])
    #expect(try odd.commutes(withCut: pairs))
    let someOdd = OperatorCase(
      "Slice", [.counting(8), .integers(3), .integers(.max), .integers(0), .integers(2)])
    #expect(try someOdd.relations() == ["pin X0.0", "pin Y0.0"])
    let reversed = OperatorCase(
      "Slice", [.counting(6), .integers(4), .integers(.min), .integers(0), .integers(-1)])
    #expect(try reversed.relations() == ["Y0.0 = X0.0 from 4 by -1"])
    #expect(
      try reversed.commutes(
        withCut: [.operand(0, axis: 0): [0, 3, 4, 5], .result(axis: 0): [0, 1, 4]]))
    let tail = OperatorCase(
      "Slice", [.counting(6), .integers(4), .integers(1), .integers(0), .integers(-1)])
    #expect(
      try tail.commutes(withCut: [.operand(0, axis: 0): [1, 3, 5], .result(axis: 0): [1]]))
    #expect(
      try OperatorCase(
        "Slice", [.float(6), .integers(0), .integers(4), .integers(0), .integers(2)]
      ).relations() == ["pin X0.0", "pin Y0.0"])
    #expect(
      try OperatorCase("Slice", [.float(6), .computed(1), .integers(6), .integers(0)]).relations()
        == ["pin X0.0", "pin Y0.0"])
  }
}

@Suite struct GatherTests {
  @Test func gathers() throws {
    #expect(try OperatorCase("Gather", [.float(5, -1), .computed(3)]).shape() == "3 n")
    #expect(
      try OperatorCase("Gather", [.float(5, 4), .scalar(1)], [Attribute("axis", 1)]).shape() == "5")
    let rows = OperatorCase("Gather", [.counting(3, 2), .integers(2, -3)])
    #expect(try rows.evaluate()[0].floats == [5, 6, 1, 2])
    let grid = ValueFacts(constant: Tensor([0, 1, 1, 0] as [Int], shape: [2, 2]))
    let lookup = OperatorCase("Gather", [.counting(2, 2), grid], [Attribute("axis", 1)])
    #expect(try lookup.shape() == "2 2 2")
    #expect(try lookup.evaluate()[0].floats == [1, 2, 2, 1, 3, 4, 4, 3])
    let shape = ValueFacts.symbolic(.symbol("n"), .fixed(3))
    #expect(try OperatorCase("Gather", [shape, .scalar(0)]).contents() == "n")
    #expect(try OperatorCase("Gather", [shape, .integers(-1, 0)]).contents() == "3 n")
    for number in hostileNumbers {
      #expect(OperatorCase("Gather", [.float(5, 4), .integers(number)]).refusal() != nil)
      #expect(
        OperatorCase("Gather", [.float(5, 4), .scalar(0)], [Attribute("axis", number)]).refusal()
          != nil)
    }
    #expect(OperatorCase("Gather", [.float(5), .float(2)]).refusal() != nil)
  }

  @Test func keepsAnEmbeddingsRows() throws {
    let embedding = OperatorCase(
      "Gather", [.float(100, 64), ValueFacts(.int64, [.symbol("n"), .fixed(7)])])
    #expect(
      try embedding.relations() == ["X0.1 = Y0.2", "pin X0.0", "X1.0 = Y0.0", "X1.1 = Y0.1"])
    #expect(
      try OperatorCase("Gather", [.float(3, 4, 5), .scalar(1)], [Attribute("axis", 1)]).relations()
        == ["X0.0 = Y0.0", "X0.2 = Y0.1", "pin X0.1"])
  }

  @Test func remapsConstantIndices() throws {
    let shuffle = OperatorCase("Gather", [.counting(4, 2), .integers(3, -3, 3, 0)])
    #expect(try shuffle.relations() == ["X0.1 = Y0.1", "Y0.0 = X0.0 at [3, 1, 3, 0]"])
    let kept: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [0, 3], .result(axis: 0): [0, 2, 3],
    ]
    #expect(try shuffle.adaptedIntegers(kept) == [[1, 1, 0]])
    #expect(try shuffle.commutes(withCut: kept))
  }

  /// The axes of a table of indices are factors of what it selects.
  @Test func remapsTablesOfIndices() throws {
    let table = ValueFacts(constant: Tensor([3, 0, 1, -1, 0, 1] as [Int], shape: [2, 3]))
    let windows = OperatorCase("Gather", [.counting(4, 2), table])
    #expect(
      try windows.relations() == [
        "X0.1 = Y0.2", "V0(6) = X0.0 at [3, 0, 1, 3, 0, 1]", "V0(6) = Y0.0 * Y0.1",
      ])
    let kept: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [1, 2, 3], .result(axis: 1): [0, 2],
    ]
    #expect(try windows.adaptedIntegers(kept) == [[2, 0, 2, 0]])
    #expect(try windows.commutes(withCut: kept))
    #expect(try windows.commutes(withCut: [.result(axis: 0): [1]]))
    let none = ValueFacts(constant: Tensor([] as [Int], shape: [2, 0]))
    #expect(
      try OperatorCase("Gather", [.counting(4, 2), none]).relations().contains("pin X0.0"))
  }
}

@Suite struct ExpandTests {
  @Test func stretches() throws {
    let row = OperatorCase("Expand", [.counting(2, 1), .integers(3, 1, 2)])
    #expect(try row.shape() == "3 2 2")
    #expect(try row.evaluate()[0].floats == [1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2])
    #expect(try row.relations() == ["free Y0.0", "X0.0 = Y0.1", "free Y0.2"])
    #expect(try row.commutes(withCut: [.result(axis: 0): [1], .result(axis: 2): [1]]))
    let same = OperatorCase("Expand", [.counting(1, 4), .integers(3, 4)])
    #expect(
      try same.commutes(withCut: [.operand(0, axis: 1): [0, 2], .result(axis: 1): [0, 2]]))
    let token = OperatorCase(
      "Expand", [.float(1, 1, 48), .symbolic(.symbol("n"), .fixed(1), .fixed(48))])
    #expect(try token.shape() == "n 1 48")
    #expect(try token.relations() == ["X0.1 = Y0.1", "X0.2 = Y0.2"])
    #expect(
      try token.adaptations([.operand(0, axis: 2): [0, 1], .result(axis: 2): [0, 1]])
        == ["X1[2: 2]"])
    let free = OperatorCase("Expand", [.float(1, 48), .symbolic(.unknown, .fixed(1))])
    #expect(try free.relations() == ["X0.1 = Y0.1"])
    let unknown = OperatorCase("Expand", [.float(1, 48), .symbolic(.fixed(2), .unknown)])
    #expect(try unknown.relations() == ["free Y0.0", "pin Y0.1", "X0.1 = Y0.1"])
    #expect(OperatorCase("Expand", [.float(3), .integers(-1)]).refusal() != nil)
    #expect(OperatorCase("Expand", [.float(3), .integers(2)]).refusal() != nil)
    #expect(
      OperatorCase("Expand", [.counting(1), .integers(1 << 40, 1 << 40)]).refusesToEvaluate())
    #expect(OperatorCase("Expand", [.counting(1), .integers(1 << 40)]).refusesToEvaluate())
  }
}

@Suite struct PadTests {
  @Test func padsInEveryMode() throws {
    func padded(_ mode: String, _ pads: [Int]) throws -> [Float] {
      try OperatorCase(
        "Pad", [.counting(3), ValueFacts(constant: Tensor(pads))], [Attribute("mode", mode)]
      ).evaluate()[0].floats
    }
    #expect(try padded("constant", [2, 1]) == [0, 0, 1, 2, 3, 0])
    #expect(try padded("constant", [-1, 1]) == [2, 3, 0])
    #expect(try padded("reflect", [2, 1]) == [3, 2, 1, 2, 3, 2])
    #expect(try padded("edge", [2, -1]) == [1, 1, 1, 2])
    #expect(try padded("wrap", [2, 4]) == [2, 3, 1, 2, 3, 1, 2, 3, 1])
    let old = OperatorCase(
      "Pad", opset: 9, [.counting(2)],
      [Attribute("pads", [1, 0]), Attribute("value", Float(7))])
    #expect(try old.evaluate()[0].floats == [7, 1, 2])
    let some = OperatorCase(
      "Pad", opset: 18, [.counting(1, 2), .integers(1, 0), .constant([9]), .integers(-1)])
    #expect(try some.evaluate()[0] == Tensor([9, 1, 2], shape: [1, 3]))
  }

  @Test func cutsPaddingAndChannelsApart() throws {
    let channels = OperatorCase("Pad", [.counting(2, 3), .integers(0, 2, 0, 1)])
    #expect(try channels.shape() == "2 6")
    #expect(try channels.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1 from 2 by 1"])
    let kept: [AxisReference: [Int]] = [
      .operand(0, axis: 1): [0, 2], .result(axis: 1): [1, 2, 4],
    ]
    #expect(try channels.adaptedIntegers(kept) == [[0, 1, 0, 0]])
    #expect(try channels.commutes(withCut: kept))
    #expect(
      try OperatorCase("Pad", [.float(3), .integers(-1, 0)]).relations() == [
        "pin X0.0", "pin Y0.0",
      ])
    #expect(try OperatorCase("Pad", [.float(3), .computed(2)]).relations() == [])
    #expect(OperatorCase("Pad", [.float(3), .integers(-2, -2)]).refusal() != nil)
    #expect(OperatorCase("Pad", [.float(3), .integers(1)]).refusal() != nil)
    for number in hostileNumbers {
      let hostilePad = OperatorCase("Pad", [.counting(3), .integers(number, number)])
      #expect(hostilePad.refusesToEvaluate())
    }
  }
}
