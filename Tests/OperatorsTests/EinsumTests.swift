import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct EinsumTests {
  private func einsum(_ equation: String, _ operands: ValueFacts?...) -> OperatorCase {
    OperatorCase("Einsum", operands, [Attribute("equation", equation)])
  }

  @Test func infersExtents() throws {
    #expect(try einsum("bij,bjk->bik", .float(-1, 2, 3), .float(-1, 3, 4)).shape() == "n 2 4")
    #expect(try einsum(" i j , j k -> k i ", .float(2, 3), .float(3, 4)).shape() == "4 2")
    #expect(try einsum("ij,jk", .float(2, 3), .float(3, 4)).shape() == "2 4")
    #expect(try einsum("ba", .float(2, 3)).shape() == "3 2")
    #expect(try einsum("ij->", .float(2, 3)).shape() == "")
    #expect(try einsum("->", .float()).shape() == "")
    #expect(
      try einsum("...ij,...jk->...ik", .float(5, 1, 2, 3), .float(7, 3, 4)).shape() == "5 7 2 4")
    #expect(try einsum("...ij,jk", .float(5, 2, 3), .float(3, 4)).shape() == "5 2 4")
    #expect(try einsum("i...->...i", .float(5, 2, 3)).shape() == "2 3 5")
    #expect(try einsum("ij,jk->ik", .float(2, 3), ValueFacts(.float32, nil)).shape() == "2 ?")
    #expect(try einsum("...j->...", ValueFacts(.float32, nil)).shape() == "none")
    // What becomes of the ellipsis is not said.
    #expect(try einsum("...i->i", .float(2, 3)).shape() == "none")
    #expect(try einsum("...i->i", .float(2, 3)).relations() == [])
    #expect(einsum("...i->i", .counting(2, 3)).refusesToEvaluate())
  }

  @Test func refusesWhatDoesNotFit() {
    #expect(OperatorCase("Einsum", [.float(1)]).refusal() == "'equation' must be a string")
    #expect(einsum("i,j", .float(2)).refusal() == "the equation is for 2 operands")
    #expect(
      einsum("ij", .float(2)).refusal() == "operand 0 has 1 axes, which the equation does not fit")
    #expect(einsum("ij...", .float(2)).refusal() != nil)
    #expect(einsum("ij,jk", .float(2, 3), .float(4, 5)).refusal() != nil)
    #expect(einsum("i->ii", .float(2)).refusal() != nil)
    #expect(einsum("i->j", .float(2)).refusal() != nil)
    #expect(einsum("i->i->i", .float(2)).refusal() == "the equation has several arrows")
    #expect(einsum("i1", .float(2, 2)).refusal() == "the equation's part 'i1' is not letters")
    #expect(einsum("i...j...", .float(2, 2)).refusal() != nil)
    #expect(einsum("i.j", .float(2, 2)).refusal() != nil)
    #expect(einsum("i,i", .float(2), .integers(1, 2)).refusal() != nil)
  }

  @Test func relatesEqualLetters() throws {
    #expect(
      try einsum("bhqd,bhkd->bhqk", .float(-1, 4, 50, 24), .float(-1, 4, 50, 24)).relations() == [
        "pin Y0.0", "X0.0 = Y0.0", "X0.1 = Y0.1", "X0.2 = Y0.2", "sum X0.3", "pin Y0.0",
        "X1.0 = Y0.0", "X1.1 = Y0.1", "X1.2 = Y0.3", "X1.3 = X0.3", "sum X1.3",
      ])
    // A stretched axis asks for nothing; one that might be keeps the others.
    #expect(
      try einsum("bi,bi->b", .float(1, 3), .float(4, -1)).relations() == [
        "sum X0.1", "X1.0 = Y0.0", "pin X0.1", "X1.1 = X0.1", "sum X1.1",
      ])
    #expect(
      try einsum("...i,i->...", .float(2, 1, 3), .float(3)).relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "sum X0.2", "X1.0 = X0.2", "sum X1.0",
      ])
    #expect(
      try einsum("iij->j", .float(3, 3, 2)).relations() == [
        "pin X0.0", "sum X0.0", "pin X0.0", "X0.1 = X0.0", "sum X0.1", "X0.2 = Y0.0",
      ])
    #expect(try einsum("ij,jk", .float(2, 3), ValueFacts(.float32, nil)).relations() == [])
    #expect(
      try OperatorCase("Einsum", [.float(2), nil], [Attribute("equation", "i,j")]).relations() == []
    )
  }

  @Test func multipliesAndSums() throws {
    let matrices = einsum("bij,bjk->bik", .counting(2, 1, 2), .counting(2, 2, 1))
    #expect(try matrices.evaluate()[0] == Tensor([5, 25], shape: [2, 1, 1]))
    #expect(try matrices.macs() == 4)
    let turned = einsum("ij,kj->ki", .counting(2, 2), .counting(3, 2))
    #expect(try turned.evaluate()[0] == Tensor([5, 11, 11, 25, 17, 39], shape: [3, 2]))
    #expect(try einsum("ii->i", .counting(2, 2)).evaluate()[0].floats == [1, 4])
    #expect(try einsum("ii", .counting(2, 2)).evaluate()[0].floats == [5])
    #expect(try einsum("ij->j", .counting(2, 2)).evaluate()[0].floats == [4, 6])
    #expect(
      try einsum("i,j->ij", .counting(2), .counting(3)).evaluate()[0].floats == [
        1, 2, 3, 2, 4, 6,
      ])
    let stretched = einsum("ij,ij->i", .counting(2, 1), .counting(1, 3))
    #expect(try stretched.evaluate()[0].floats == [6, 12])
    let three = einsum("i,ij,j->", .counting(2), .counting(2, 2), .counting(2))
    #expect(try three.evaluate()[0] == Tensor([27], shape: []))
    let batches = einsum("...i,...i->...", .counting(2, 1, 2), .counting(1, 2))
    #expect(try batches.evaluate()[0] == Tensor([5, 11], shape: [2, 1]))
    #expect(try einsum("i,i->", .integers(1, 2), .integers(3, 4)).evaluate()[0].integers == [11])
    #expect(
      try einsum("ij,jk", .constant([], 2, 0), .constant([], 0, 3)).evaluate()[0].floats == [
        0, 0, 0, 0, 0, 0,
      ])
    #expect(einsum("i,i", .truths([1], 1), .truths([1], 1)).refusesToEvaluate())
  }

  @Test func commutesWithCuts() throws {
    let product = einsum("bij,jkb->kb", .counting(2, 3, 4), .counting(4, 5, 2))
    #expect(
      try product.commutes(withCut: [
        .operand(0, axis: 0): [1], .operand(1, axis: 2): [1], .result(axis: 1): [1],
        .operand(1, axis: 1): [0, 4], .result(axis: 0): [0, 4],
      ]))
  }
}
