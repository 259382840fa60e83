import PrunecGraphIR
import PrunecTensors

/// Loop (ONNX opset 7 to 28): runs `body` at most `M` times, while the condition that it makes holds. Each
/// iteration takes its number, the condition and the carried values, and makes a condition, the next
/// carried values, and slices; the results are the last carried values and the slices, stacked.
extension ControlFlow {
  func loop(
    _ body: Graph, _ operands: [Tensor?], _ effort: inout EvaluationEffort, runner: Runner
  ) throws(CompileError) -> [Tensor] {
    var carried: [Tensor] = []
    for operand in operands.dropFirst(2) {
      guard let operand else { throw malformed("a carried value is left out") }
      carried.append(operand)
    }
    guard body.outputs.count > carried.count else {
      throw malformed("its graph makes \(body.outputs.count) of more values")
    }
    var count = Int.max
    if let given = operands.first ?? nil {
      guard given.elementType.isInteger, given.count == 1 else {
        throw malformed("the number of iterations is no single integer")
      }
      count = given.integers[0]
    }
    var isGoing = true
    if operands.count > 1, let condition = operands[1] { isGoing = try truth(condition) }

    let firstSlice = carried.count + 1
    var slices = [[Tensor]](repeating: [], count: body.outputs.count - firstSlice)
    var iteration = 0
    while isGoing, iteration < count {
      let number = Tensor(.int64, shape: [], elements: [Int64(iteration)])
      let condition = Tensor(.bool, shape: [], elements: [1 as UInt8])
      let made = try runner(0, [number, condition] + carried, &effort)
      isGoing = try truth(made[0])
      carried = Array(made[1..<firstSlice])
      try effort.spend(on: Array(made[firstSlice...]), at: location)
      for index in slices.indices { slices[index].append(made[firstSlice + index]) }
      iteration += 1
    }
    var results = carried
    for (index, list) in slices.enumerated() {
      results.append(try stacked(list, ofOutput: firstSlice + index, body))
    }
    return results
  }
}
