import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct ArithmeticTests {
  private func integers(_ type: String, _ a: [Int], _ b: [Int]) throws -> [Int] {
    try OperatorCase(
      type, [ValueFacts(constant: Tensor(a)), ValueFacts(constant: Tensor(b))]
    ).evaluate()[0].integers
  }

  @Test func broadcasts() throws {
    let sum = OperatorCase("Add", [.counting(2, 3), .constant([10, 20, 30], 3)])
    #expect(try sum.evaluate()[0].floats == [11, 22, 33, 14, 25, 36])
    #expect(try sum.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "X1.0 = Y0.1"])
    let outer = OperatorCase("Mul", [.counting(2, 1), .counting(1, 2)])
    #expect(try outer.evaluate()[0].floats == [1, 2, 2, 4])
    #expect(try outer.relations() == ["X0.0 = Y0.0", "X1.1 = Y0.1"])
    // An operand that might be stretched, or might not, keeps the others from being cut.
    #expect(
      try OperatorCase("Add", [.float(4, 8), .float(4, -1)]).relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X1.0 = Y0.0", "pin Y0.1",
      ])
    #expect(OperatorCase("Add", [.float(2), .float(3)]).refusal() != nil)
    #expect(OperatorCase("Add", [.float(2), .integers(1, 2)]).refusal() != nil)
    #expect(
      try OperatorCase("Sub", [.counting(0, 3), .counting(3)]).evaluate()[0].shape == [0, 3])
  }

  @Test func wrapsIntegers() throws {
    #expect(try integers("Add", [.max], [1]) == [.min])
    #expect(try integers("Mul", [.max, 3], [2, -4]) == [-2, -12])
    #expect(try integers("Div", [7, -7, .min], [2, 2, -1]) == [3, -3, .min])
    #expect(try integers("Mod", [7, -7, 7, .min], [3, 3, -3, -1]) == [1, 2, -2, 0])
    #expect(
      try integers("Pow", [2, -1, 5, 3], [10, -3, -1, 64]) == [
        1024, -1, 0, 8_733_086_111_712_066_817,
      ])
    #expect(throws: CompileError.self) { try integers("Div", [1], [0]) }
    #expect(throws: CompileError.self) { try integers("Mod", [1], [0]) }
    #expect(throws: CompileError.self) { try integers("Pow", [0], [-1]) }
    let bytes = ValueFacts(constant: Tensor(.uint8, shape: [1], elements: [UInt8(200)]))
    #expect(try OperatorCase("Add", [bytes, bytes]).evaluate()[0].integers == [144])
    let large = ValueFacts(constant: Tensor(.uint64, shape: [1], elements: [UInt64.max]))
    #expect(OperatorCase("Add", [large, large]).refusesToEvaluate())
    #expect(OperatorCase("Add", [.truths([1], 1), .truths([1], 1)]).refusesToEvaluate())
  }

  @Test func computesEveryFloatingPointType() throws {
    for type in [ElementType.float16, .bfloat16, .float32, .float64] {
      let x = ValueFacts(constant: Tensor(rounding: [1, -6], to: type, shape: [2]))
      let y = ValueFacts(constant: Tensor(rounding: [4], to: type, shape: []))
      #expect(try OperatorCase("Div", [x, y]).evaluate()[0].floats == [0.25, -1.5])
      #expect(try OperatorCase("Div", [x, y]).evaluate()[0].elementType == type)
    }
    let tenth = ValueFacts(constant: Tensor(.float64, shape: [], elements: [0.1]))
    #expect(
      try OperatorCase("Add", [tenth, tenth]).evaluate()[0]
        == Tensor(.float64, shape: [], elements: [0.2]))
    let truncating = OperatorCase(
      "Mod", [.constant([-5.5], 1), .constant([2], 1)], [Attribute("fmod", 1)])
    #expect(try truncating.evaluate()[0].floats == [-1.5])
    #expect(
      try OperatorCase("Mod", [.constant([-5.5]), .constant([2])]).evaluate()[0].floats == [0.5])
    #expect(
      try OperatorCase("Pow", [.integers(2, 3), .constant([0.5, 2], 2)]).evaluate()[0]
        == Tensor([1, 9]))
    #expect(
      try OperatorCase("Pow", [.constant([2, 3], 2), .integers(3, 2)]).evaluate()[0].floats == [
        8, 9,
      ])
  }

  @Test func keepsSymbols() throws {
    let n = ValueFacts.symbolic(.symbol("n"), .fixed(6))
    #expect(try OperatorCase("Mul", [n, .integers(1)]).contents() == "n 6")
    #expect(try OperatorCase("Mul", [n, .integers(2)]).contents() == "? 12")
    #expect(try OperatorCase("Add", [.integers(0, 1), n]).contents() == "n 7")
    #expect(try OperatorCase("Sub", [n, n]).contents() == "0 0")
    #expect(try OperatorCase("Div", [n, .integers(1, 4)]).contents() == "n 1")
    #expect(try OperatorCase("Div", [n, .integers(0)]).contents() == "? ?")
    #expect(try OperatorCase("Equal", [n, .integers(-1, 6)]).contents() == "0 1")
    #expect(try OperatorCase("Equal", [n, n]).contents() == "1 1")
    #expect(try OperatorCase("Equal", [n, .integers(3)]).contents() == "? 0")
    let condition = ValueFacts(.bool, [.fixed(2)], contents: .integers([.fixed(0), .unknown]))
    #expect(try OperatorCase("Where", [condition, .integers(1, 6), n]).contents() == "n 6")
    #expect(try OperatorCase("Add", [.float(2), .float(2)]).contents() == nil)
  }

  /// Of floating point numbers those that are whole are followed.
  @Test func keepsWholeNumbers() throws {
    let known = ValueFacts(
      .float32, [.fixed(3)], contents: .integers([.fixed(6), .unknown, .fixed(1 << 24)]))
    func elements(_ type: String, _ other: ValueFacts) throws -> [SymbolicInteger]? {
      let facts = try OperatorCase(type, [known, other]).infer()[0]
      #expect(facts.integers == nil)
      if case .integers(let elements) = facts.contents { return elements }
      return nil
    }
    #expect(try elements("Mul", .constant([2])) == [.fixed(12), .unknown, .unknown])
    #expect(try elements("Mul", .constant([0])) == [.fixed(0), .unknown, .fixed(0)])
    #expect(try elements("Div", .constant([4])) == [.unknown, .unknown, .fixed(1 << 22)])
    #expect(try elements("Div", .constant([0])) == [.unknown, .unknown, .unknown])
    #expect(try elements("Add", .constant([1])) == [.fixed(7), .unknown, .unknown])
    #expect(
      try OperatorCase("Cast", [known], [Attribute("to", 7)]).contents() == "6 ? \(1 << 24)")
    let symbols = OperatorCase(
      "Cast", [.symbolic(.symbol("n"), .fixed(3))], [Attribute("to", 1)])
    guard case .integers(let elements) = try symbols.infer()[0].contents else {
      Issue.record("nothing is known")
      return
    }
    #expect(elements == [.unknown, .fixed(3)])
  }
}

@Suite struct SelectionTests {
  @Test func compares() throws {
    func truths(_ type: String, _ a: [Float], _ b: [Float]) throws -> [Int] {
      try OperatorCase(
        type,
        [
          ValueFacts(constant: Tensor(a, shape: [a.count])),
          ValueFacts(constant: Tensor(b, shape: [b.count])),
        ]
      ).evaluate()[0].integers
    }
    #expect(try truths("Less", [1, 2, 3, .nan], [2]) == [1, 0, 0, 0])
    #expect(try truths("Greater", [1, 2, 3, .nan], [2]) == [0, 0, 1, 0])
    #expect(try truths("LessOrEqual", [1, 2, 3], [2]) == [1, 1, 0])
    #expect(try truths("GreaterOrEqual", [1, 2, 3], [2]) == [0, 1, 1])
    #expect(try truths("Equal", [1, 2, .nan], [2, 2, .nan]) == [0, 1, 0])
    let words = ValueFacts(constant: Tensor(strings: [[97], [98]], shape: [2]))
    let word = ValueFacts(constant: Tensor(strings: [[98]], shape: []))
    #expect(try OperatorCase("Equal", [words, word]).evaluate()[0].integers == [0, 1])
    #expect(OperatorRegistry.find(OperationName("LessOrEqual"), opset: 11) == nil)
  }

  @Test func classifies() throws {
    let x = ValueFacts.constant([1, .nan, .infinity, -.infinity], 4)
    #expect(try OperatorCase("IsNaN", [x]).evaluate()[0].integers == [0, 1, 0, 0])
    #expect(try OperatorCase("IsInf", [x]).evaluate()[0].integers == [0, 0, 1, 1])
    #expect(
      try OperatorCase("IsInf", [x], [Attribute("detect_negative", 0)]).evaluate()[0].integers == [
        0, 0, 1, 0,
      ])
    // Finite in double precision, infinite in single.
    let large = ValueFacts(constant: Tensor(.float64, shape: [1], elements: [1e300]))
    #expect(try OperatorCase("IsInf", [large]).evaluate()[0].integers == [0])
    #expect(
      try OperatorCase("IsNaN", [.float(3, 2)]).relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
  }

  @Test func movesBits() throws {
    func bits(_ type: String, _ a: [Int], _ b: [Int], _ attributes: [Attribute] = []) throws
      -> [Int]
    {
      try OperatorCase(
        type, opset: 28, [ValueFacts(constant: Tensor(a)), ValueFacts(constant: Tensor(b))],
        attributes
      ).evaluate()[0].integers
    }
    #expect(try bits("BitwiseAnd", [6, -1], [3]) == [2, 3])
    #expect(try bits("BitwiseOr", [6, -1], [3]) == [7, -1])
    #expect(try bits("BitwiseXor", [6, -1], [3]) == [5, -4])
    #expect(
      try OperatorCase("BitwiseNot", opset: 18, [.integers(5, -1)]).evaluate()[0].integers == [
        -6, 0,
      ])
    let (left, right) = (Attribute("direction", "LEFT"), Attribute("direction", "RIGHT"))
    #expect(try bits("BitShift", [1, -1, 3], [2, 1, 64], [left]) == [4, -2, 0])
    #expect(try bits("BitShift", [4, -4, 4, -4], [1, 1, 64, -1], [right]) == [2, -2, 0, -1])
    for number in hostileNumbers { _ = try bits("BitShift", [5], [number], [left]) }
    let large = ValueFacts(constant: Tensor(.uint64, shape: [1], elements: [UInt64.max]))
    let one = ValueFacts(constant: Tensor(.uint64, shape: [1], elements: [UInt64(63)]))
    #expect(try OperatorCase("BitShift", [large, one], [right]).evaluate()[0].integers == [1])
    let bytes = ValueFacts(constant: Tensor(.uint8, shape: [1], elements: [UInt8(200)]))
    #expect(try OperatorCase("BitShift", [bytes, bytes], [left]).evaluate()[0].integers == [0])
    #expect(OperatorCase("BitShift", [bytes, bytes]).refusal() != nil)
    #expect(
      OperatorCase("BitwiseAnd", opset: 18, [.counting(1), .counting(1)]).refusesToEvaluate())
  }

  @Test func reasons() throws {
    let (a, b) = (ValueFacts.truths([0, 0, 1, 1], 4), ValueFacts.truths([0, 1, 0, 1], 4))
    #expect(try OperatorCase("And", [a, b]).evaluate()[0].integers == [0, 0, 0, 1])
    #expect(try OperatorCase("Or", [a, b]).evaluate()[0].integers == [0, 1, 1, 1])
    #expect(try OperatorCase("Xor", [a, b]).evaluate()[0].integers == [0, 1, 1, 0])
    #expect(try OperatorCase("Not", [a]).evaluate()[0].integers == [1, 1, 0, 0])
    #expect(OperatorCase("And", [a, .float(4)]).refusal() != nil)
  }

  @Test func chooses() throws {
    let choice = OperatorCase(
      "Where", [.truths([1, 0], 2), .counting(2, 2), .constant([-1], 1)])
    #expect(try choice.evaluate()[0] == Tensor([1, -1, 3, -1], shape: [2, 2]))
    let words = ValueFacts(constant: Tensor(strings: [[97], [98]], shape: [2]))
    let word = ValueFacts(constant: Tensor(strings: [[]], shape: []))
    #expect(
      try OperatorCase("Where", [.truths([0, 1], 2), words, word]).evaluate()[0].strings
        == [[], [98]])
    #expect(OperatorCase("Where", [.float(2), .float(2), .float(2)]).refusal() != nil)
  }

  @Test func clips() throws {
    let x = ValueFacts.constant([-2, 0.5, .nan, 9], 4)
    let floats = try OperatorCase("Clip", [x, .constant([-1]), .constant([6])]).evaluate()[0].floats
    #expect(floats[0] == -1 && floats[1] == 0.5 && floats[2].isNaN && floats[3] == 6)
    #expect(
      try OperatorCase("Clip", [.counting(3), nil, .constant([2])]).evaluate()[0].floats == [
        1, 2, 2,
      ])
    let old = OperatorCase("Clip", opset: 6 + 1, [.counting(3)], [Attribute("min", Float(2))])
    #expect(try old.evaluate()[0].floats == [2, 2, 3])
    #expect(
      try OperatorCase("Clip", [.integers(-5, 5), .scalar(0)]).evaluate()[0].integers == [0, 5])
    #expect(OperatorCase("Clip", [.float(4), .counting(2)]).refusal() != nil)
    #expect(try OperatorCase("Clip", [.float(4), .constant([0])]).relations() == ["X0.0 = Y0.0"])
  }
}

@Suite struct FunctionTests {
  @Test func foldsOperands() throws {
    let operands = [ValueFacts.constant([1, 5], 2), .constant([4], 1), .constant([3, 0], 2)]
    #expect(try OperatorCase("Sum", operands).evaluate()[0].floats == [8, 9])
    #expect(try OperatorCase("Mean", operands).evaluate()[0].floats == [8.0 / 3, 3])
    #expect(try OperatorCase("Max", operands).evaluate()[0].floats == [4, 5])
    #expect(try OperatorCase("Min", operands).evaluate()[0].floats == [1, 0])
    #expect(
      try OperatorCase("Max", [.integers(1, 5), .scalar(3)]).evaluate()[0].integers == [3, 5])
    let missing = try OperatorCase("Max", [.constant([.nan, 1], 2), .constant([2, .nan], 2)])
      .evaluate()
    #expect(missing[0].floats.allSatisfy { $0.isNaN })
    #expect(
      try OperatorCase("Sum", [.float(2, 3), .float(2, 3), .float(1)]).relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "X1.0 = Y0.0", "X1.1 = Y0.1",
      ])
  }

  @Test func activates() throws {
    func values(_ type: String, _ attributes: [Attribute] = [], opset: Int = 22) throws -> [Float] {
      try OperatorCase(type, opset: opset, [.constant([-2, 0, 2], 3)], attributes).evaluate()[0]
        .floats
    }
    #expect(try isClose(values("LeakyRelu", [Attribute("alpha", Float(0.5))]), [-1, 0, 2]))
    #expect(try isClose(values("Elu"), [-0.864665, 0, 2]))
    #expect(try isClose(values("Selu"), [-1.520167, 0, 2.101402]))
    #expect(try isClose(values("HardSigmoid"), [0.1, 0.5, 0.9]))
    #expect(try isClose(values("ThresholdedRelu"), [0, 0, 2]))
    #expect(try isClose(values("Celu", [Attribute("alpha", Float(2))]), [-1.264241, 0, 2]))
    #expect(try isClose(values("Swish", opset: 24), [-0.2384058, 0, 1.7615942]))
    #expect(
      try isClose(
        values("Shrink", [Attribute("lambd", Float(1)), Attribute("bias", Float(0.5))]),
        [
          -1.5, 0, 1.5,
        ]))
    #expect(try isClose(values("Gelu"), [-0.0455003, 0, 1.9544997]))
    #expect(
      try isClose(values("Gelu", [Attribute("approximate", "tanh")]), [-0.0454023, 0, 1.9545977]))
    #expect(
      OperatorCase("Gelu", opset: 20, [.float(1)], [Attribute("approximate", "x")]).refusal() != nil
    )
  }

  @Test func takesIntegersWhereItShould() throws {
    let numbers = ValueFacts.integers(-3, 0, 7, .min)
    #expect(try OperatorCase("Relu", [numbers]).evaluate()[0].integers == [0, 0, 7, 0])
    #expect(try OperatorCase("Abs", [numbers]).evaluate()[0].integers == [3, 0, 7, .min])
    #expect(try OperatorCase("Neg", [numbers]).evaluate()[0].integers == [3, 0, -7, .min])
    #expect(try OperatorCase("Sign", [numbers]).evaluate()[0].integers == [-1, 0, 1, -1])
    #expect(OperatorCase("Exp", [numbers]).refusesToEvaluate())
    #expect(
      try OperatorCase("Shrink", [.integers(-3, 0, 7)], [Attribute("bias", Float(1.5))]).evaluate()[
        0
      ]
      .integers == [-1, 0, 5])
  }

  @Test func computesTrigonometry() throws {
    func value(_ type: String, _ x: Float) throws -> Float {
      try OperatorCase(type, [.constant([x])]).evaluate()[0].floats[0]
    }
    let expected: [(String, Float)] = [
      ("Tan", 0.5463025), ("Asin", 0.5235988), ("Acos", 1.0471976), ("Atan", 0.4636476),
      ("Sinh", 0.5210953), ("Cosh", 1.1276260), ("Asinh", 0.4812118), ("Atanh", 0.5493061),
    ]
    for (type, result) in expected { #expect(try isClose([value(type, 0.5)], [result]), "\(type)") }
    #expect(try isClose([value("Acosh", 1.5)], [0.9624237]))
    #expect(
      try OperatorCase("Round", [.constant([0.5, 1.5, -2.5, 2.4], 4)]).evaluate()[0].floats == [
        0, 2, -2, 2,
      ])
    #expect(OperatorRegistry.find(OperationName("Sinh"), opset: 8) == nil)
    #expect(OperatorRegistry.find(OperationName("Round"), opset: 10) == nil)
  }

  @Test func computesFunctionsOfOneVariable() throws {
    let expected: [(String, [Float])] = [
      ("Cos", [-0.6536436, 0.8775826, -0.4161468]), ("Sin", [0.7568025, -0.4794255, 0.9092974]),
      ("Erf", [-1, -0.5204999, 0.9953223]), ("Reciprocal", [-0.25, -2, 0.5]),
      ("Sigmoid", [0.0179862, 0.3775407, 0.8807971]),
      ("Tanh", [-0.9993293, -0.4621172, 0.9640276]),
      ("Softplus", [0.0181499, 0.474077, 2.126928]), ("Exp", [0.0183156, 0.6065307, 7.3890561]),
      ("HardSwish", [0, -0.2083333, 1.6666667]), ("Mish", [-0.0725917, -0.2207438, 1.943959]),
    ]
    for (type, numbers) in expected {
      let call = OperatorCase(type, opset: 18, [.constant([-4, -0.5, 2], 1, 3)])
      #expect(try isClose(call.evaluate()[0].floats, numbers), "\(type)")
      #expect(try call.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
      #expect(OperatorCase(type, opset: 18, [.integers(1)]).refusesToEvaluate(), "\(type)")
    }
    let logarithms = try OperatorCase("Log", [.constant([0.5, 3, 0, -1], 4)]).evaluate()[0].floats
    #expect(isClose(Array(logarithms[..<2]), [-0.6931472, 1.0986123]))
    #expect(logarithms[2] == -.infinity && logarithms[3].isNaN)
  }

  @Test func computesWhatIsKnownInPart() throws {
    let n = ValueFacts.symbolic(.symbol("n"), .fixed(-6), .unknown)
    #expect(try OperatorCase("Neg", [n]).contents() == "? 6 ?")
    #expect(try OperatorCase("Abs", [n]).contents() == "? 6 ?")
    let whole = ValueFacts(.float32, [.fixed(2)], contents: .integers([.fixed(9), .unknown]))
    for (type, result) in [("Floor", 9), ("Sqrt", 3), ("Round", 9), ("Ceil", 9)] {
      guard case .integers(let elements) = try OperatorCase(type, [whole]).infer()[0].contents
      else {
        Issue.record("nothing is known of \(type)")
        continue
      }
      #expect(elements == [.fixed(result), .unknown])
    }
  }

  @Test func slopesOneWay() throws {
    let slope = OperatorCase(
      "PRelu", [.constant([-1, 2, -3, -4], 2, 2), .constant([0.5, 2], 2, 1)])
    #expect(try slope.evaluate()[0].floats == [-0.5, 2, -6, -8])
    #expect(try slope.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.1", "X1.0 = Y0.0"])
    #expect(OperatorCase("PRelu", [.float(1), .float(3)]).refusal() != nil)
    #expect(OperatorCase("PRelu", [.float(3), .float(2, 3)]).refusal() != nil)
  }
}
