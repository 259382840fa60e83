import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct GemmTests {
  @Test func infersWithEveryTransposition() throws {
    #expect(try OperatorCase("Gemm", [.float(-1, 3), .float(3, 4)]).shape() == "n 4")
    let transposed = OperatorCase(
      "Gemm", [.float(3, 2), .float(4, 3), .float(4)],
      [Attribute("transA", 1), Attribute("transB", 1)])
    #expect(try transposed.shape() == "2 4")
    #expect(try transposed.macs() == 24)
    #expect(try OperatorCase("Gemm", [ValueFacts(.float32, nil), .float(3, 4)]).shape() == "? 4")
  }

  @Test func refusesWhatDoesNotFit() {
    #expect(
      OperatorCase("Gemm", [.float(2, 3), .float(4, 5)]).refusal()
        == "A has 3 columns and B has 4 rows")
    #expect(OperatorCase("Gemm", [.float(3), .float(3, 5)]).refusal() != nil)
    #expect(
      OperatorCase("Gemm", [.float(2, 3), .float(3, 5), .float(4)]).refusal()
        == "C does not broadcast: 4 to 5")
    // C may be stretched, but it may not stretch Y.
    #expect(OperatorCase("Gemm", [.float(1, 3), .float(3, 5), .float(2, 5)]).refusal() != nil)
    #expect(
      OperatorCase("Gemm", [.float(2, 3), .float(3, 5)], [Attribute("transB", "yes")]).refusal()
        == "'transB' must be an integer")
    #expect(
      OperatorCase("Gemm", [.float(2, 3), ValueFacts(.string, nil)]).refusal()
        == "operand 1 is of type string")
  }

  @Test func sumsOverTheInnerAxis() throws {
    let linear = OperatorCase(
      "Gemm", [.float(-1, 3), .float(4, 3), .float(4)], [Attribute("transB", 1)])
    #expect(
      try linear.relations() == [
        "X0.1 = X1.1", "sum X0.1", "sum X1.1", "X0.0 = Y0.0", "X1.0 = Y0.1", "X2.0 = Y0.1",
      ])
    let column = OperatorCase("Gemm", [.float(2, 3), .float(3, 4), .float(2, 1)])
    #expect(try column.relations().last == "X2.0 = Y0.0")
    // A bias of unknown rank would not be cut with the columns.
    let unknown = OperatorCase("Gemm", [.float(2, 3), .float(3, 4), ValueFacts(.float32, nil)])
    #expect(try unknown.relations().isEmpty)
  }

  @Test func multipliesAndAdds() throws {
    let full = OperatorCase(
      "Gemm", [.counting(3, 2), .counting(2, 3), .constant([1, 2], 2, 1)],
      [
        Attribute("transA", 1), Attribute("transB", 1), Attribute("alpha", Float(0.5)),
        Attribute("beta", Float(2)),
      ])
    #expect(try full.evaluate()[0] == Tensor([13, 26.5, 18, 36], shape: [2, 2]))
    let scalar = OperatorCase("Gemm", [.counting(1, 2), .counting(2, 2), .constant([10])])
    #expect(try scalar.evaluate()[0].floats == [17, 20])
    // More than sixteen elements, so that both loops of the scalar product run.
    let long = OperatorCase("Gemm", [.counting(1, 19), .counting(1, 19)], [Attribute("transB", 1)])
    #expect(try long.evaluate()[0].floats == [2470])
    let empty = OperatorCase("Gemm", [.constant([], 2, 0), .constant([], 0, 2), .constant([7])])
    #expect(try empty.evaluate()[0].floats == [7, 7, 7, 7])
  }
}

@Suite struct MatMulTests {
  @Test(arguments: [
    ([2, 3], [3, 4], "2 4"), ([3], [3], ""), ([3], [3, 4], "4"), ([2, 3], [3], "2"),
    ([5, 1, 2, 3], [7, 3, 4], "5 7 2 4"), ([6, 2, 3], [3], "6 2"), ([3], [6, 3, 4], "6 4"),
    ([0, 3], [3, 4], "0 4"),
  ])
  func infersAsNumpyDoes(a: [Int], b: [Int], expected: String) throws {
    let operands = [a, b].map { ValueFacts(.float32, $0.map { .fixed($0) }) }
    #expect(try OperatorCase("MatMul", operands).shape() == expected)
    let constants = [a, b].map { ValueFacts(constant: Tensor(zeros: .float32, shape: $0)) }
    let y = try OperatorCase("MatMul", constants).evaluate()[0]
    #expect(y.shape.map { "\($0)" }.joined(separator: " ") == expected)
  }

  @Test func refusesWhatDoesNotFit() {
    #expect(OperatorCase("MatMul", [.float(2, 3), .float(2, 3)]).refusal() != nil)
    #expect(OperatorCase("MatMul", [.float(2, 1, 3), .float(3, 3, 1)]).refusal() != nil)
    #expect(OperatorCase("MatMul", [.float(), .float(3)]).refusal() == "an operand is a scalar")
    #expect(
      OperatorCase("MatMul", [.float(3), .integers(1, 2, 3)]).refusal()
        == "operands are of types float and int64")
  }

  @Test func relatesHeadsAndStretchedBatches() throws {
    let attention = OperatorCase("MatMul", [.float(-1, 4, 50, 24), .float(-1, 4, 24, 50)])
    #expect(
      try attention.relations() == [
        "X0.3 = X1.2", "sum X0.3", "sum X1.2", "X0.2 = Y0.2", "X1.3 = Y0.3", "pin Y0.0",
        "X0.1 = Y0.1", "pin Y0.0", "X1.1 = Y0.1",
      ])
    let stretched = OperatorCase("MatMul", [.float(5, 2, 3), .float(1, 3, 4)])
    #expect(
      try stretched.relations() == [
        "X0.2 = X1.1", "sum X0.2", "sum X1.1", "X0.1 = Y0.1", "X1.2 = Y0.2", "X0.0 = Y0.0",
      ])
    let vectors = OperatorCase("MatMul", [.float(3), .float(6, 3, 4)])
    #expect(
      try vectors.relations() == [
        "X0.0 = X1.1", "sum X0.0", "sum X1.1", "X1.2 = Y0.1", "X1.0 = Y0.0",
      ])
  }

  @Test func multiplies() throws {
    let batched = OperatorCase("MatMul", [.counting(2, 1, 2), .counting(2, 2)])
    #expect(try batched.evaluate()[0] == Tensor([7, 10, 15, 22], shape: [2, 1, 2]))
    let inner = OperatorCase("MatMul", [.counting(5), .counting(5)])
    #expect(try inner.evaluate()[0] == Tensor([55], shape: []))
    #expect(try inner.macs() == 5)
    // Integers wrap as arithmetic of their width does.
    let large = ValueFacts(constant: Tensor(.int32, shape: [1, 1], elements: [Int32(1 << 30)]))
    let four = ValueFacts(constant: Tensor(.int32, shape: [1, 1], elements: [Int32(5)]))
    let product = try OperatorCase("MatMul", [large, four]).evaluate()[0]
    #expect(product.integers == [1 << 30])
  }
}
