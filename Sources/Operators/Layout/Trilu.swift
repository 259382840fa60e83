import PrunecGraphIR
import PrunecTensors

/// Trilu (ONNX opset 14 to 28): of every matrix `[... N, M]` the elements on and above a diagonal (or with
/// `upper` 0 below it), zero elsewhere. The diagonal is the main one, or the `k`-th above it.
///
/// Channels: leading axes go with themselves; rows and columns are pinned, for it is their places that
/// count.
struct Trilu: Operator {
  let signature = Signature(
    "Trilu", opsets: 14...28, operands: 1...2, attributes: ["upper": .int(1)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    _ = try call.requiredInt("upper")
    if let operand = call.operand(1) {
      if let type = operand.elementType, type != .int64 {
        throw call.malformed("k is of type \(type.name)")
      }
      if let count = operand.fixedShape?.checkedElementCount, count != 1 {
        throw call.malformed("k has \(count) elements")
      }
    }
    guard let shape = call.shape(0) else { return [ValueFacts(call.elementType(0), nil)] }
    guard shape.count >= 2 else { throw call.malformed("X has \(shape.count) axes") }
    let contents = movedContents(call, of: 0..<1, to: shape)
    return [ValueFacts(call.elementType(0), shape, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count else { return }
    for axis in 0..<max(0, rank - 2) {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
    for axis in max(0, rank - 2)..<rank {
      for reference in [AxisReference.operand(0, axis: axis), .result(axis: axis)] {
        relations.pin(reference, because: "the places of rows and columns count")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    guard x.count > 0 else { return [x] }
    guard x.elementType.isByteAligned else {
      throw call.unsupported("Trilu of \(x.elementType.name) is not evaluated")
    }
    let (rows, columns) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
    let given = operands.count > 1 ? operands[1]?.integers.first : nil
    // No diagonal lies further out than the matrix is wide or high.
    let diagonal = min(max(given ?? 0, -rows), columns)
    let isUpper = try call.requiredInt("upper") != 0
    let zero = Tensor(zeros: x.elementType, shape: [1])
    var choice = Array(0..<x.count)
    for index in choice.indices {
      let (row, column) = (index / columns % rows, index % columns)
      let isKept = isUpper ? column >= row + diagonal : column <= row + diagonal
      if !isKept { choice[index] = x.count }
    }
    let both = Tensor.concatenated([x.reshaped([x.count]), zero], alongAxis: 0)
    return [both.keeping(choice, alongAxis: 0).reshaped(x.shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
