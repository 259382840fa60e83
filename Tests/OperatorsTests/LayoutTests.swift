import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct ReshapeTests {
  @Test func infersTheTarget() throws {
    #expect(try OperatorCase("Reshape", [.float(2, 3, 4), .integers(0, -1)]).shape() == "2 12")
    #expect(try OperatorCase("Reshape", [.float(2, 3, 4), .integers(4, 0, -1)]).shape() == "4 3 2")
    #expect(try OperatorCase("Reshape", [.float(-1, 6, 4), .integers(-1, 24)]).shape() == "n 24")
    #expect(try OperatorCase("Reshape", [.float(-1, 6, 4), .integers(0, -1)]).shape() == "n 24")
    #expect(try OperatorCase("Reshape", [.float(-1, 6, 4), .integers(-1, 12)]).shape() == "? 12")
    #expect(
      try OperatorCase("Reshape", [.float(-1, 24), .symbolic(.symbol("n"), .fixed(6), .fixed(-1))])
        .shape() == "n 6 4")
    #expect(
      try OperatorCase("Reshape", [.float(-1, 24), .symbolic(.unknown, .fixed(6), .fixed(4))])
        .shape() == "? 6 4")
    #expect(
      try OperatorCase("Reshape", [.float(5, 24), .symbolic(.unknown, .fixed(6), .fixed(4))])
        .shape() == "5 6 4")
    #expect(try OperatorCase("Reshape", [.float(2, 3), .computed(3)]).shape() == "? ? ?")
    #expect(
      try OperatorCase("Reshape", [.float(1), ValueFacts(constant: Tensor([Int]()))]).shape() == "")
  }

  @Test func copiesOrTakesZeroLiterally() throws {
    let literal = [Attribute("allowzero", 1)]
    #expect(try OperatorCase("Reshape", [.float(0, 3), .integers(3, 0)], literal).shape() == "3 0")
    #expect(try OperatorCase("Reshape", [.float(0, 3), .integers(0, 3)]).shape() == "0 3")
    #expect(
      OperatorCase("Reshape", [.float(0, 3), .integers(-1, 0)], literal).refusal()
        == "with allowzero, the target has both 0 and -1")
  }

  @Test func refusesWhatDoesNotFit() {
    #expect(
      OperatorCase("Reshape", [.float(2, 3), .integers(4, 2)]).refusal()
        == "[2, 3] elements do not fit the target [4, 2]")
    #expect(OperatorCase("Reshape", [.float(2, 3), .integers(4, -1)]).refusal() != nil)
    #expect(OperatorCase("Reshape", [.float(2, 3), .integers(-1, -1)]).refusal() != nil)
    #expect(OperatorCase("Reshape", [.float(2, 3), .integers(2, 3, 0)]).refusal() != nil)
    #expect(OperatorCase("Reshape", [.float(2, 3), .integers(-2, 3)]).refusal() != nil)
    for number in hostileNumbers {
      #expect(
        OperatorCase("Reshape", [.float(2, 3), .integers(number, number, number)]).refusal() != nil)
    }
  }

  @Test func factorsBothShapes() throws {
    #expect(
      try OperatorCase("Reshape", [.float(-1, 768), .integers(0, 12, 64)]).relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1 * Y0.2",
      ])
    #expect(
      try OperatorCase("Reshape", [.float(-1, 12, 64), .integers(0, -1)]).relations() == [
        "X0.0 = Y0.0", "Y0.1 = X0.1 * X0.2",
      ])
    #expect(
      try OperatorCase("Reshape", [.float(2, 1, 5), .integers(2, 5, 1)]).relations() == [
        "X0.0 = Y0.0", "X0.2 = Y0.1",
      ])
    #expect(
      try OperatorCase("Reshape", [.float(4, 6), .integers(8, 3)]).relations() == [
        "X0.1 = V0(2) * Y0.1", "Y0.0 = X0.0 * V0(2)",
      ])
    #expect(
      try OperatorCase("Reshape", [.float(4, 6), .integers(3, 8)]).relations() == [
        "pin X0.0", "pin X0.1", "pin Y0.0", "pin Y0.1",
      ])
    // Of an unknown batch nothing is known, but what follows it can still be told.
    let unknown = ValueFacts(.float32, [.unknown, .fixed(6), .fixed(4)])
    #expect(
      try OperatorCase("Reshape", [unknown, .integers(-1, 24)]).relations() == [
        "Y0.1 = X0.1 * X0.2", "X0.0 = Y0.0",
      ])
    // Heads merged into an open batch: their dimensions can be told apart all the same.
    let merged = ValueFacts.symbolic(.unknown, .fixed(64))
    #expect(
      try OperatorCase("Reshape", [.float(-1, 768), merged]).relations() == [
        "pin V0(12)", "X0.1 = V0(12) * Y0.1", "pin Y0.0",
      ])
  }

  @Test func pinsWhatATargetDoesNotSay() throws {
    let target = ValueFacts.symbolic(.fixed(0), .unknown, .fixed(4), .fixed(-1))
    #expect(
      try OperatorCase("Reshape", [.float(2, 3, 24), target]).relations() == [
        "X0.0 = Y0.0", "pin X0.1", "pin X0.2", "pin Y0.1",
      ])
    let heads = ValueFacts.symbolic(.symbol("n"), .fixed(3), .fixed(4), .fixed(-1))
    let split = OperatorCase("Reshape", [.float(-1, 3, 24), heads])
    #expect(
      try split.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X0.2 = Y0.2 * Y0.3", "pin Y0.0",
      ])
    // The known number is put into the vector that is computed.
    #expect(
      try split.adaptations([
        .operand(0, axis: 2): Array(0..<12), .result(axis: 2): [0, 1],
      ]) == ["X1[2: 2]"])
    #expect(
      try OperatorCase("Reshape", [.float(2, 3), .computed(2)]).relations().suffix(2) == [
        "pin Y0.0", "pin Y0.1",
      ])
  }

  @Test func adaptsTheTarget() throws {
    let heads = OperatorCase("Reshape", [.counting(2, 12), .integers(0, 3, 4)])
    let byHead = [0, 1, 2, 3, 8, 9, 10, 11]
    #expect(
      try heads.adaptedIntegers([.operand(0, axis: 1): byHead, .result(axis: 1): [0, 2]]) == [
        [0, 2, 4]
      ])
    #expect(
      try heads.commutes(withCut: [.operand(0, axis: 1): byHead, .result(axis: 1): [0, 2]]))
    let deduced = OperatorCase("Reshape", [.counting(2, 3, 4), .integers(2, -1)])
    let cut = [AxisReference.operand(0, axis: 1): [1], .result(axis: 1): [4, 5, 6, 7]]
    #expect(try deduced.adaptedIntegers(cut).isEmpty)
    #expect(try deduced.commutes(withCut: cut))
    // The 0 of axis 1 copied an extent that is no longer right.
    let copied = OperatorCase("Reshape", [.counting(2, 8, 8), .integers(16, 0, -1)])
    let columns = [AxisReference.operand(0, axis: 2): [0, 3, 4], .result(axis: 1): [0, 3, 4]]
    #expect(try copied.adaptedIntegers(columns) == [[16, 3, -1]])
    #expect(try copied.commutes(withCut: columns))
    let nested = OperatorCase("Reshape", [.counting(4, 6), .integers(8, 3)])
    #expect(
      try nested.commutes(
        withCut: [
          .operand(0, axis: 1): [3, 4, 5], .result(axis: 0): [1, 3, 5, 7],
        ]))
  }
}

@Suite struct AxisOrderTests {
  @Test func flattens() throws {
    #expect(try OperatorCase("Flatten", [.float(-1, 3, 4)]).shape() == "n 12")
    #expect(
      try OperatorCase("Flatten", [.float(2, 3, 4)], [Attribute("axis", 0)]).shape() == "1 24")
    #expect(
      try OperatorCase("Flatten", [.float(2, 3, 4)], [Attribute("axis", -1)]).shape() == "6 4")
    #expect(
      try OperatorCase("Flatten", [.float(2, 3, 4)], [Attribute("axis", 3)]).shape() == "24 1")
    #expect(
      try OperatorCase("Flatten", [.float(-1, 3, 4)]).relations() == [
        "X0.0 = Y0.0", "Y0.1 = X0.1 * X0.2",
      ])
    #expect(try OperatorCase("Flatten", [.float(1 << 40, 1 << 40, 4)]).shape().hasPrefix("10995"))
    for number in hostileNumbers {
      #expect(
        OperatorCase("Flatten", [.float(2, 3)], [Attribute("axis", number)]).refusal() != nil)
    }
  }

  @Test func transposes() throws {
    let permuted = OperatorCase("Transpose", [.counting(2, 3, 2)], [Attribute("perm", [1, 2, 0])])
    #expect(try permuted.shape() == "3 2 2")
    #expect(try permuted.relations() == ["X0.1 = Y0.0", "X0.2 = Y0.1", "X0.0 = Y0.2"])
    #expect(
      try permuted.evaluate()[0].floats == [1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12])
    #expect(
      try OperatorCase("Transpose", [.counting(2, 3)]).evaluate()[0].floats == [1, 4, 2, 5, 3, 6])
    #expect(try OperatorCase("Transpose", [ValueFacts(.bool, nil)]).shape() == "none")
    #expect(
      OperatorCase("Transpose", [.float(2, 3)], [Attribute("perm", [0, 0])]).refusal() != nil)
    #expect(
      OperatorCase("Transpose", [.float(2, 3)], [Attribute("perm", [0, 1 << 62])]).refusal() != nil)
  }

  @Test func squeezes() throws {
    #expect(try OperatorCase("Squeeze", [.float(1, 3, 1), .integers(0, -1)]).shape() == "3")
    #expect(
      try OperatorCase("Squeeze", opset: 11, [.float(1, 3, 1)], [Attribute("axes", [0])]).shape()
        == "3 1")
    #expect(try OperatorCase("Squeeze", [.float(1, 3, 1)]).shape() == "3")
    #expect(try OperatorCase("Squeeze", [.float(-1, 3, 1)]).shape() == "none")
    #expect(try OperatorCase("Squeeze", [.float(1, 3), .computed(1)]).shape() == "none")
    #expect(OperatorCase("Squeeze", [.float(2, 3), .integers(0)]).refusal() != nil)
    #expect(OperatorCase("Squeeze", [.float(1, 3), .integers(0, -2)]).refusal() != nil)
    // Lest the axis of which one channel is left goes too, the axes become explicit.
    let implicit = OperatorCase("Squeeze", [.counting(1, 3, 2)])
    let cut = [AxisReference.operand(0, axis: 1): [2], .result(axis: 0): [2]]
    #expect(try implicit.adaptedIntegers(cut) == [[0]])
    #expect(try implicit.commutes(withCut: cut))
    #expect(try OperatorCase("Squeeze", [.symbolic(.symbol("n")), .integers(0)]).contents() == "n")
  }

  @Test func unsqueezes() throws {
    #expect(try OperatorCase("Unsqueeze", [.float(3, 4), .integers(0, -1)]).shape() == "1 3 4 1")
    let old = OperatorCase("Unsqueeze", opset: 9, [.float(3, 4)], [Attribute("axes", [1])])
    #expect(try old.shape() == "3 1 4")
    #expect(try old.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.2"])
    #expect(OperatorCase("Unsqueeze", [.float(3), .integers(1, 1)]).refusal() != nil)
    #expect(OperatorCase("Unsqueeze", [.float(3)]).refusal() != nil)
    for number in hostileNumbers {
      #expect(OperatorCase("Unsqueeze", [.float(3), .integers(number)]).refusal() != nil)
    }
  }
}

@Suite struct JoiningTests {
  @Test func concatenates() throws {
    let pair = OperatorCase("Concat", [.counting(2, 1), .counting(2, 2)], [Attribute("axis", 1)])
    #expect(try pair.shape() == "2 3")
    #expect(try pair.evaluate()[0].floats == [1, 1, 2, 2, 3, 4])
    #expect(
      try pair.relations() == [
        "X0.0 = Y0.0", "X1.0 = Y0.0", "X0.1 = Y0.1 from 0 by 1", "X1.1 = Y0.1 from 1 by 1",
      ])
    let open = OperatorCase("Concat", [.float(2, -1), .float(2, 2)], [Attribute("axis", -1)])
    #expect(try open.shape() == "2 ?")
    #expect(try open.relations().suffix(1) == ["pin Y0.1"])
    let shape = OperatorCase(
      "Concat", [.symbolic(.symbol("n")), .integers(3, -1)], [Attribute("axis", 0)])
    #expect(try shape.contents() == "n 3 -1")
    #expect(OperatorCase("Concat", [.float(2), .float(2)]).refusal() != nil)
    #expect(
      OperatorCase("Concat", [.float(2, 2), .float(3, 2)], [Attribute("axis", 1)]).refusal() != nil)
    #expect(
      OperatorCase("Concat", [.float(2), .integers(2)], [Attribute("axis", 0)]).refusal() != nil)
    #expect(
      OperatorCase("Concat", [.float(.max), .float(.max)], [Attribute("axis", 0)]).refusal() != nil)
  }

  @Test func splits() throws {
    let equal = OperatorCase("Split", [.counting(2, 4)], results: 2, [Attribute("axis", 1)])
    #expect(try equal.shape(1) == "2 2")
    #expect(try equal.evaluate().map(\.floats) == [[1, 2, 5, 6], [3, 4, 7, 8]])
    #expect(
      try equal.relations() == [
        "X0.0 = Y0.0", "X0.0 = Y1.0", "Y0.1 = X0.1 from 0 by 1", "Y1.1 = X0.1 from 2 by 1",
      ])
    let fair: [AxisReference: [Int]] = [
      .operand(0, axis: 1): [1, 2], .result(0, axis: 1): [1], .result(1, axis: 1): [0],
    ]
    #expect(try equal.adaptedIntegers(fair).isEmpty)
    #expect(try equal.commutes(withCut: fair))
    let unfair: [AxisReference: [Int]] = [
      .operand(0, axis: 1): [1, 2, 3], .result(0, axis: 1): [1],
    ]
    #expect(try equal.adaptedIntegers(unfair) == [[1, 2]])
    #expect(try equal.commutes(withCut: unfair))

    let old = OperatorCase(
      "Split", opset: 11, [.counting(4)], results: 2, [Attribute("split", [1, 3])])
    let oldCut: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [0, 2], .result(1, axis: 0): [1],
    ]
    #expect(try old.adaptedIntegers(oldCut) == [[1, 1]])
    #expect(try old.commutes(withCut: oldCut))
  }

  @Test func splitsIntoANumberOfParts() throws {
    let parts = OperatorCase(
      "Split", opset: 18, [.counting(5)], results: 3, [Attribute("num_outputs", 3)])
    #expect(try (0..<3).map { try parts.shape($0) } == ["2", "2", "1"])
    let cut: [AxisReference: [Int]] = [
      .operand(0, axis: 0): [0, 2, 3, 4], .result(0, axis: 0): [0],
    ]
    #expect(try parts.adaptedIntegers(cut) == [[1, 2, 1], []])
    #expect(try parts.commutes(withCut: cut))
    #expect(
      OperatorCase("Split", opset: 18, [.float(5)], results: 4, [Attribute("num_outputs", 4)])
        .refusal() != nil)
    #expect(
      OperatorCase("Split", opset: 18, [.float(4)], results: 2, [Attribute("num_outputs", 4)])
        .refusal() != nil)
    #expect(OperatorCase("Split", [.float(5)], results: 2).refusal() != nil)
    #expect(OperatorCase("Split", [.float(4), .integers(1, 2)], results: 2).refusal() != nil)
    #expect(OperatorCase("Split", [.float(4), .integers(.max, .max)], results: 2).refusal() != nil)
    #expect(OperatorCase("Split", [.float(4), .integers(5, -1)], results: 2).refusal() != nil)
    #expect(
      try OperatorCase("Split", [.float(4), .computed(2)], results: 2).relations() == ["pin X0.0"])
  }
}

@Suite struct BlockTests {
  @Test func tiles() throws {
    let twice = OperatorCase("Tile", [.counting(1, 2), .integers(1, 2)])
    #expect(try twice.evaluate()[0].floats == [1, 2, 1, 2])
    #expect(try twice.relations() == ["X0.0 = Y0.0", "pin V0(2)", "Y0.1 = V0(2) * X0.1"])
    #expect(
      try twice.commutes(withCut: [.operand(0, axis: 1): [1], .result(axis: 1): [1, 3]]))
    #expect(try OperatorCase("Tile", [.float(2), .computed(1)]).shape() == "?")
    #expect(OperatorCase("Tile", [.float(2, 3), .integers(2)]).refusal() != nil)
    for number in hostileNumbers {
      #expect(OperatorCase("Tile", [.counting(2), .integers(number)]).refusesToEvaluate())
    }
  }

  @Test func movesDepthAndSpace() throws {
    let size = Attribute("blocksize", 2)
    let columnsFirst = OperatorCase("DepthToSpace", [.counting(1, 8, 1, 1)], [size])
    #expect(try columnsFirst.shape() == "1 2 2 2")
    #expect(try columnsFirst.evaluate()[0].floats == [1, 3, 5, 7, 2, 4, 6, 8])
    #expect(
      try columnsFirst.relations() == ["X0.0 = Y0.0", "pin V0(4)", "X0.1 = V0(4) * Y0.1"])
    #expect(
      try columnsFirst.commutes(
        withCut: [.operand(0, axis: 1): [1, 3, 5, 7], .result(axis: 1): [1]]))
    let channelFirst = OperatorCase(
      "DepthToSpace", [.counting(1, 8, 1, 1)], [size, Attribute("mode", "CRD")])
    #expect(try channelFirst.evaluate()[0].floats == [1, 2, 3, 4, 5, 6, 7, 8])
    let back = OperatorCase("SpaceToDepth", [.counting(1, 2, 2, 2)], [size])
    #expect(try back.evaluate()[0].floats == [1, 5, 2, 6, 3, 7, 4, 8])
    #expect(try back.relations() == ["X0.0 = Y0.0", "pin V0(4)", "Y0.1 = V0(4) * X0.1"])
    #expect(OperatorCase("DepthToSpace", [.float(1, 6, 1, 1)], [size]).refusal() != nil)
    for number in hostileNumbers + [0] {
      #expect(
        OperatorCase("DepthToSpace", [.float(1, 4, 1, 1)], [Attribute("blocksize", number)])
          .refusal() != nil)
    }
  }
}

@Suite struct PassingTests {
  @Test func identities() throws {
    let call = OperatorCase("Identity", [.float(-1, 3)])
    #expect(try call.shape() == "n 3")
    #expect(try call.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
    #expect(
      try OperatorCase("Identity", [.symbolic(.symbol("n"), .fixed(3))]).contents() == "n 3")
    #expect(try OperatorCase("Identity", [.counting(2)]).evaluate()[0].floats == [1, 2])
  }

  @Test func dropsNothing() throws {
    let mask = OperatorCase("Dropout", [.counting(2, 2)], results: 2)
    #expect(try mask.relations() == ["X0.0 = Y0.0", "X0.0 = Y1.0", "X0.1 = Y0.1", "X0.1 = Y1.1"])
    #expect(
      try mask.evaluate()[1]
        == Tensor(.bool, shape: [2, 2], elements: [UInt8](repeating: 1, count: 4)))
    let training = OperatorCase("Dropout", [.counting(2), nil, .truths([1])])
    #expect(try training.relations() == [])
    #expect(training.refusesToEvaluate())
    #expect(
      try OperatorCase("Dropout", [.counting(2), nil, .truths([0])]).relations() == ["X0.0 = Y0.0"])
  }

  @Test func casts() throws {
    func cast(_ operand: ValueFacts, to type: ElementType) throws -> Tensor {
      try OperatorCase("Cast", [operand], [Attribute("to", Int(type.rawValue))]).evaluate()[0]
    }
    let numbers = ValueFacts.constant([-1.5, 2.9, .nan, 1e30, -.infinity], 5)
    #expect(try cast(numbers, to: .int64).integers == [-1, 2, 0, .max, .min])
    #expect(try cast(numbers, to: .int8).integers == [-1, 2, 0, 127, -128])
    #expect(try cast(numbers, to: .bool).integers == [1, 1, 1, 1, 1])
    #expect(try cast(.integers(300, -1), to: .uint8).integers == [44, 255])
    #expect(try cast(.integers(1 << 24 + 1, 3), to: .float16).floats[1] == 3)
    #expect(
      try OperatorCase("Cast", [.symbolic(.symbol("n"))], [Attribute("to", 6)]).contents() == "n")
    #expect(
      try OperatorCase("Cast", [.symbolic(.symbol("n"))], [Attribute("to", 1)]).contents() == nil)
    for number in hostileNumbers + [0, 99] {
      #expect(OperatorCase("Cast", [.float(1)], [Attribute("to", number)]).refusal() != nil)
    }
    #expect(
      OperatorCase("Cast", [.counting(1)], [Attribute("to", Int(ElementType.float8E8M0.rawValue))])
        .refusesToEvaluate())
    #expect(try cast(.constant([-9, 8, 1.5], 3), to: .int4).integers == [7, -8, 1])
    #expect(try cast(.constant([500, -2.25], 2), to: .float8E4M3FN).floats == [448, -2.25])
    #expect(
      try OperatorCase("CastLike", opset: 15, [.float(2), .integers(1, 2, 3)]).relations() == [
        "X0.0 = Y0.0", "free X1.0",
      ])
  }
}
