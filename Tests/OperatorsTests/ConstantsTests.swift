import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct ConstantTests {
  @Test func readsEveryAttribute() throws {
    func value(_ attribute: Attribute) throws -> Tensor {
      try OperatorCase("Constant", [], [attribute]).evaluate()[0]
    }
    let tensor = Tensor([Float(1), 2], shape: [1, 2])
    #expect(try value(Attribute("value", .tensor(NamedTensor(tensor)))) == tensor)
    #expect(try value(Attribute("value_float", Float(2))) == Tensor([2], shape: []))
    #expect(try value(Attribute("value_floats", .floats([2, 3]))) == Tensor([2, 3], shape: [2]))
    #expect(try value(Attribute("value_int", 4)) == Tensor([4 as Int], shape: []))
    #expect(try value(Attribute("value_ints", [4, 5])) == Tensor([4, 5]))
    #expect(try value(Attribute("value_string", "a")) == Tensor(strings: [[97]], shape: []))
    #expect(
      try value(Attribute("value_strings", .strings([[97], []])))
        == Tensor(strings: [[97], []], shape: [2]))
  }

  @Test func refusesNoneTwoAndWrongOnes() {
    #expect(OperatorCase("Constant", []).refusal() == "0 attributes give the value instead of one")
    #expect(
      OperatorCase("Constant", [], [Attribute("value_int", 1), Attribute("value_ints", [1])])
        .refusal() == "2 attributes give the value instead of one")
    #expect(OperatorCase("Constant", [], [Attribute("value", 1)]).refusal() != nil)
  }

  @Test func shrinks() throws {
    let tensor = NamedTensor(Tensor((0..<6).map(Float.init), shape: [2, 3]), name: "t")
    let constant = OperatorCase("Constant", [], [Attribute("value", .tensor(tensor))])
    #expect(try constant.relations() == ["free Y0.0", "free Y0.1"])
    #expect(try constant.commutes(withCut: [.result(axis: 0): [1], .result(axis: 1): [0, 2]]))
    let list = OperatorCase("Constant", [], [Attribute("value_ints", [4, 5, 6])])
    #expect(try list.adaptedIntegers([.result(axis: 0): [2]]) == [[6]])
  }
}

@Suite struct ShapeArithmeticTests {
  private let huge = 1 << 40

  @Test func fills() throws {
    let zeros = OperatorCase("ConstantOfShape", [.integers(2, 3)])
    #expect(try zeros.evaluate()[0] == Tensor(zeros: .float32, shape: [2, 3]))
    #expect(try zeros.relations() == ["free Y0.0", "free Y0.1"])
    #expect(try zeros.commutes(withCut: [.result(axis: 1): [0]]))
    let one = Attribute("value", .tensor(NamedTensor(Tensor([1]))))
    let ones = OperatorCase("ConstantOfShape", [.integers(3)], [one])
    #expect(try ones.contents() == "1 1 1")
    #expect(try ones.evaluate()[0] == Tensor([1, 1, 1]))
    #expect(
      try OperatorCase("ConstantOfShape", [.symbolic(.symbol("n"), .fixed(2))]).relations() == [
        "pin Y0.0", "free Y0.1",
      ])
    #expect(try OperatorCase("ConstantOfShape", [.computed(2)]).shape() == "? ?")
    // A type of any size costs nothing; its elements are refused.
    let large = OperatorCase("ConstantOfShape", [.integers(huge, huge)], [one])
    #expect(try large.shape() == "\(huge) \(huge)")
    #expect(large.refusesToEvaluate())
    #expect(try OperatorCase("ConstantOfShape", [.integers(huge)], [one]).contents() == nil)
    #expect(OperatorCase("ConstantOfShape", [.integers(.min)]).refusal() != nil)
    #expect(try OperatorCase("ConstantOfShape", [.computed(huge)]).shape() == "none")
    let two = Attribute("value", .tensor(NamedTensor(Tensor([1, 2]))))
    #expect(OperatorCase("ConstantOfShape", [.integers(1)], [two]).refusal() != nil)
  }

  @Test func readsExtents() throws {
    let shape = OperatorCase("Shape", [.float(-1, 3, 4)])
    #expect(try shape.contents() == "n 3 4")
    #expect(try shape.relations() == ["extents of X0 from 0"])
    func part(_ start: Int, _ end: Int) -> OperatorCase {
      OperatorCase("Shape", [.float(-1, 3, 4)], [Attribute("start", start), Attribute("end", end)])
    }
    #expect(try part(1, -1).contents() == "3")
    #expect(try part(1, -1).relations() == ["extents of X0 from 1"])
    #expect(try part(2, 1).contents() == "")
    #expect(try part(.min, .max).contents() == "n 3 4")
    #expect(try OperatorCase("Shape", [ValueFacts.unknown]).shape() == "?")
    #expect(try OperatorCase("Shape", [.counting(2, 3)]).evaluate()[0] == Tensor([2, 3]))
    #expect(try OperatorCase("Size", [.float(2, 3)]).contents() == "6")
    #expect(try OperatorCase("Size", [.float(-1, 1)]).contents() == "n")
    #expect(try OperatorCase("Size", [.float(-1, 2)]).contents() == "?")
    #expect(try OperatorCase("Size", [.float(huge, huge)]).contents() == "?")
    #expect(try OperatorCase("Size", [.float(2, 3)]).relations() == ["pin X0.0", "pin X0.1"])
  }

  @Test func counts() throws {
    func range(_ start: Int, _ limit: Int, _ delta: Int) -> OperatorCase {
      OperatorCase("Range", [.scalar(start), .scalar(limit), .scalar(delta)])
    }
    #expect(try range(3, 9, 3).evaluate()[0] == Tensor([3, 6]))
    #expect(try range(10, 4, -2).evaluate()[0] == Tensor([10, 8, 6]))
    #expect(try range(1, 0, 1).shape() == "0")
    #expect(try range(0, .max, 1).shape() == "\(Int.max)")
    #expect(range(0, .max, 1).refusesToEvaluate())
    #expect(try range(0, .min, .min).shape() == "1")
    #expect(range(.min, .max, 1).refusal() != nil)
    #expect(range(0, 1, 0).refusal() != nil)
    let floats = OperatorCase(
      "Range", [.constant([0]), .constant([1]), .constant([0.25])])
    #expect(try floats.evaluate()[0].floats == [0, 0.25, 0.5, 0.75])
    #expect(
      OperatorCase("Range", [.constant([0]), .constant([.infinity]), .constant([1])]).refusal()
        != nil)
    let symbol = ValueFacts(.int64, [], contents: .integers([.symbol("n")]))
    #expect(try OperatorCase("Range", [.scalar(0), symbol, .scalar(1)]).shape() == "n")
  }
}
