import PrunecGraphIR
import PrunecTensors

/// Merge (prunec's own, domain `ai.prunec`, opset 1): an If whose branches lie in the graph around it.
///
/// The operands are `condition`, a single truth value, then what the one branch makes and then as many values of the
/// other. Result i is value i of the branch that the condition chooses.
///
/// As nodes of one graph the branches are analysed and rewritten by what does so with any other nodes. Which nodes are a
/// branch follows from the graph: those that nothing else needs. `Graph.sinkBranches` makes an If of it again, so that
/// only the branch that is chosen is executed; sessions and the reference do so with whatever they are given. The parts
/// that a staged run takes a graph into execute both.
///
/// Channels: axes of the same extent in both branches are those of the result.
package struct Merge: Operator {
  package static let operation = OperationName("Merge", domain: Mask.domain)

  package let signature = Signature(
    "Merge", domain: Mask.domain, opsets: 1...1, operands: 3...Int.max, results: 1...Int.max)

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let count = call.results.count
    guard call.operands.count == 1 + 2 * count else {
      throw call.malformed("has \(call.operands.count) operands for \(count) results")
    }
    if let type = call.elementType(0), type != .bool {
      throw call.malformed("the condition is of type \(type.name)")
    }
    return (0..<count).map { index in
      guard let one = call.operand(1 + index), let other = call.operand(1 + count + index) else {
        return .unknown
      }
      return one.common(with: other)
    }
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    let count = call.results.count
    for index in 0..<count {
      let operands = [1 + index, 1 + count + index]
      let shapes = operands.map { call.shape($0) ?? [] }
      guard shapes[0].count == shapes[1].count else { continue }
      for axis in shapes[0].indices where shapes[0][axis].extent == shapes[1][axis].extent {
        for operand in operands {
          relations.equal(.operand(operand, axis: axis), .result(index, axis: axis))
        }
      }
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let condition = try call.tensor(0, of: operands)
    guard condition.elementType == .bool, condition.count == 1 else {
      throw call.malformed("the condition is no single truth value")
    }
    let count = call.results.count
    let first = condition.integers[0] != 0 ? 1 : 1 + count
    return try (first..<first + count).map { (operand) throws(CompileError) in
      try call.tensor(operand, of: operands)
    }
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}
