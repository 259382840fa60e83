import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Local response normalization: squares, their means over neighbouring channels, and the quotient.
extension Planner {
  mutating func lowerLocalResponse(
    _ id: NodeID, _ response: LocalResponseComputation
  ) throws(CompileError) -> Bool {
    guard let operand = try operandViews(id)?[0], let output = graph[id].outputs[0],
      !operand.shape.contains(0)
    else { return false }
    // Channels lie apart, and pixels side by side: for a pooling, they are each other.
    let x = dense(operand, order: Array(operand.shape.indices), for: id)
    let (batch, channels) = (x.shape[0], x.shape[1])
    let rows = [batch, channels, x.shape[2...].reduce(1, *)]
    let (squares, means) = (newView(.float32, rows), newView(.float32, rows))
    let y = result(output)
    guard let source = x.applying(.reshape(rows)), let target = y.applying(.reshape(rows)),
      addProgram([id], [.init(.multiply, [0, 0])], [source], squares)
    else { return false }
    addPooling(
      id,
      PoolingComputation(
        average: response.size,
        padding: ((response.size - 1) / 2, response.size / 2)),
      squares.applying(.permute([0, 2, 1]))!, means.applying(.permute([0, 2, 1]))!)
    var instructions: [ElementwiseFormula.Instruction] = [
      .init(.number(response.alpha), []), .init(.multiply, [0, 2]),
      .init(.number(response.bias), []), .init(.add, [3, 4]),
    ]
    if response.beta == 0.75 {
      instructions += [
        .init(.squareRoot, [5]), .init(.squareRoot, [6]), .init(.multiply, [6, 7]),
        .init(.divide, [1, 8]),
      ]
    } else {
      instructions += [
        .init(.number(response.beta), []), .init(.power, [5, 6]), .init(.divide, [1, 7]),
      ]
    }
    return addProgram([id], instructions, [means, source], target)
  }
}
