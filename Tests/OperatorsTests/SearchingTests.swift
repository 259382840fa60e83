import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct SearchingTests {
  @Test func marksOne() throws {
    let classes = OperatorCase(
      "OneHot", [.integers(0, -1, 5), .scalar(3), .constant([2, 7], 2)])
    #expect(try classes.evaluate()[0] == Tensor([7, 2, 2, 2, 2, 7, 2, 2, 2], shape: [3, 3]))
    #expect(try classes.relations() == ["X0.0 = Y0.0", "pin Y0.1"])
    let front = OperatorCase(
      "OneHot", [.float(4, -1), .constant([3], 1), .float(2)], [Attribute("axis", 1)])
    #expect(try front.shape() == "4 3 n")
    #expect(try front.relations() == ["X0.0 = Y0.0", "X0.1 = Y0.2", "pin Y0.1"])
    #expect(
      try OperatorCase(
        "OneHot", [.integers(1), .scalar(2), .constant([0, 1], 2)],
        [
          Attribute("axis", 0)
        ]
      ).evaluate()[0] == Tensor([0, 1], shape: [2, 1]))
    #expect(OperatorCase("OneHot", [.float(1), .integers(1, 2), .float(2)]).refusal() != nil)
    #expect(OperatorCase("OneHot", [.float(1), .scalar(1), .float(3)]).refusal() != nil)
    for number in hostileNumbers {
      #expect(
        OperatorCase("OneHot", [.integers(0), .scalar(number), .counting(2)]).refusesToEvaluate())
      let indices = OperatorCase("OneHot", [.integers(number), .scalar(2), .counting(2)])
      #expect(try indices.evaluate()[0].floats == [1, 1])
    }
  }

  @Test func findsWhatIsNotZero() throws {
    let x = OperatorCase("NonZero", [.constant([1, 0, 0, -2, 0, .nan], 2, 3)])
    #expect(try x.evaluate()[0] == Tensor([0, 1, 1, 0, 0, 2] as [Int], shape: [2, 3]))
    #expect(try x.shape() == "2 3")
    #expect(try OperatorCase("NonZero", [.float(2, 3)]).shape() == "2 ?")
    #expect(try OperatorCase("NonZero", [.float(2, 3)]).relations() == ["pin X0.0", "pin X0.1"])
    #expect(try OperatorCase("NonZero", [.truths([1])]).evaluate()[0].shape == [0, 1])
  }

  @Test func compresses() throws {
    let columns = OperatorCase(
      "Compress", [.counting(2, 3), .truths([1, 0, 1], 3)], [Attribute("axis", -1)])
    #expect(try columns.evaluate()[0].floats == [1, 3, 4, 6])
    #expect(try columns.relations() == ["X0.0 = Y0.0", "Y0.1 = X0.1 at [0, 2]"])
    #expect(
      try columns.commutes(withCut: [.operand(0, axis: 1): [1, 2], .result(axis: 1): [1]]))
    let short = OperatorCase(
      "Compress", [.counting(3), .truths([0, 1], 2)], [Attribute("axis", 0)])
    #expect(try short.commutes(withCut: [.operand(0, axis: 0): [1, 2]]))
    let flat = OperatorCase("Compress", [.counting(2, 3), .truths([0, 1, 0, 0, 1], 5)])
    #expect(try flat.evaluate()[0].floats == [2, 5])
    #expect(try flat.relations() == [])
    let computed = OperatorCase(
      "Compress", [.float(2, 3), ValueFacts(.bool, [.fixed(3)])], [Attribute("axis", 1)])
    #expect(try computed.shape() == "2 ?")
    #expect(try computed.relations() == ["X0.0 = Y0.0", "pin X0.1"])
    #expect(OperatorCase("Compress", [.float(2), .truths([1, 1, 1], 3)]).refusal() != nil)
    #expect(OperatorCase("Compress", [.float(2), .float(2)]).refusal() != nil)
  }

  @Test func reverses() throws {
    let batchLast = OperatorCase("ReverseSequence", [.counting(3, 2), .integers(2, 3)])
    #expect(try batchLast.evaluate()[0].floats == [3, 6, 1, 4, 5, 2])
    let batchFirst = OperatorCase(
      "ReverseSequence", [.counting(2, 3, 1), .integers(3, 0)],
      [Attribute("batch_axis", 0), Attribute("time_axis", 1)])
    #expect(try batchFirst.evaluate()[0].floats == [3, 2, 1, 4, 5, 6])
    #expect(try batchFirst.relations() == ["X0.2 = Y0.2"])
    #expect(OperatorCase("ReverseSequence", [.counting(2, 1), .integers(3)]).refusesToEvaluate())
    #expect(OperatorCase("ReverseSequence", [.float(2), .integers(2)]).refusal() != nil)
    #expect(
      OperatorCase("ReverseSequence", [.float(2, 2), .integers(1, 1)], [Attribute("time_axis", 1)])
        .refusal() == "the axes are not the first two")
  }

  @Test func findsWhatIsDifferent() throws {
    func unique(
      _ x: ValueFacts, _ attributes: [Attribute] = []
    ) throws -> [[Float]] {
      try OperatorCase("Unique", [x], results: 4, attributes).evaluate().map(\.floats)
    }
    let x = ValueFacts.constant([2, 1, 1, 3, 4, 3], 6)
    #expect(
      try unique(x) == [[1, 2, 3, 4], [1, 0, 3, 4], [1, 0, 0, 2, 3, 2], [2, 1, 2, 1]])
    #expect(
      try unique(x, [Attribute("sorted", 0)]) == [
        [2, 1, 3, 4], [0, 1, 3, 4], [0, 1, 1, 2, 3, 2], [1, 2, 2, 1],
      ])
    let rows = ValueFacts.constant([1, 0, 0, 1, 1, 0], 3, 2)
    #expect(
      try unique(rows, [Attribute("axis", 0)]) == [[0, 1, 1, 0], [1, 0], [1, 0, 1], [1, 2]])
    #expect(
      try unique(.constant([1, 1, 2, 2], 2, 2), [Attribute("axis", 1)]) == [
        [1, 2], [0], [0, 0], [2],
      ])
    let words = ValueFacts(constant: Tensor(strings: [[98], [97], [98], []], shape: [4]))
    #expect(try OperatorCase("Unique", [words]).evaluate()[0].strings == [[], [97], [98]])
    let open = OperatorCase("Unique", [.float(2, 3)], results: 3)
    #expect(try [open.shape(0), open.shape(1), open.shape(2)] == ["?", "?", "6"])
    #expect(try open.relations() == ["pin X0.0", "pin X0.1"])
    #expect(try OperatorCase("Unique", [.float(2, 3)], [Attribute("axis", 1)]).shape() == "2 ?")
    #expect(try unique(.constant([], 0)) == [[], [], [], []])
  }
}

@Suite struct MatrixTests {
  @Test func keepsATriangle() throws {
    func triangle(_ x: ValueFacts, _ k: Int?, isUpper: Bool = true) throws -> [Float] {
      try OperatorCase(
        "Trilu", [x, k.map { .scalar($0) }], [Attribute("upper", isUpper ? 1 : 0)]
      ).evaluate()[0].floats
    }
    #expect(try triangle(.counting(2, 3), nil) == [1, 2, 3, 0, 5, 6])
    #expect(try triangle(.counting(2, 3), 1) == [0, 2, 3, 0, 0, 6])
    #expect(try triangle(.counting(2, 2, 2), 0, isUpper: false) == [1, 0, 3, 4, 5, 0, 7, 8])
    for number in hostileNumbers {
      #expect(try triangle(.counting(2, 2), number).allSatisfy { number < 0 || $0 == 0 })
    }
    #expect(
      try OperatorCase("Trilu", [.float(4, 2, 3)]).relations() == [
        "X0.0 = Y0.0", "pin X0.1", "pin Y0.1", "pin X0.2", "pin Y0.2",
      ])
    #expect(OperatorCase("Trilu", [.float(4)]).refusal() == "X has 1 axes")
    #expect(OperatorCase("Trilu", [.float(4, 4), .integers(1, 2)]).refusal() != nil)
  }

  @Test func makesADiagonal() throws {
    func diagonal(_ k: Int) throws -> [Int] {
      try OperatorCase("EyeLike", [.counting(2, 3)], [Attribute("k", k), Attribute("dtype", 7)])
        .evaluate()[0].integers
    }
    #expect(try diagonal(0) == [1, 0, 0, 0, 1, 0])
    #expect(try diagonal(1) == [0, 1, 0, 0, 0, 1])
    #expect(try diagonal(-1) == [0, 0, 0, 1, 0, 0])
    for number in hostileNumbers { #expect(try diagonal(number) == [0, 0, 0, 0, 0, 0]) }
    #expect(try OperatorCase("EyeLike", [.float(-1, 3)]).shape() == "n 3")
    #expect(OperatorCase("EyeLike", [.float(3)]).refusal() != nil)
    #expect(OperatorCase("EyeLike", [.float(3, 3)], [Attribute("dtype", 99)]).refusal() != nil)
  }

  @Test func computesDeterminants() throws {
    func determinants(_ elements: [Float], _ shape: [Int]) throws -> [Float] {
      let x = ValueFacts(constant: Tensor(elements, shape: shape))
      return try OperatorCase("Det", [x]).evaluate()[0].floats
    }
    #expect(try isClose(determinants([1, 2, 3, 4, 0, 1, 1, 0], [2, 2, 2]), [-2, -1]))
    #expect(try isClose(determinants([2, 0, 1, 1, 3, 2, 1, 1, 4], [3, 3]), [18]))
    #expect(try determinants([1, 2, 2, 4], [2, 2]) == [0])
    #expect(try determinants([], [2, 0, 0]) == [1, 1])
    #expect(try OperatorCase("Det", [.float(5, 2, 2)]).relations() == ["X0.0 = Y0.0"])
    #expect(OperatorCase("Det", [.float(2, 3)]).refusal() != nil)
  }
}
