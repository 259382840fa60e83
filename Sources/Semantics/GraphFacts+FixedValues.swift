import PrunecGraphIR
import PrunecOperators
import PrunecTensors

extension GraphFacts {
  /// Longer chains of nodes are not followed, and costlier nodes not evaluated.
  private static let chainLimit = 64
  private static let macLimit = 1 << 30

  /// The tensor that a value is in every run, with data at hand: a constant, or what the nodes before it
  /// make of constants (a dequantised or transposed weight); `nil` where it is not fixed.
  public func fixedTensor(of id: ValueID) -> Tensor? {
    var known: [ValueID: Tensor] = [:]
    return fixedTensor(of: id, &known, chain: 0)
  }

  private func fixedTensor(
    of id: ValueID, _ known: inout [ValueID: Tensor], chain: Int
  ) -> Tensor? {
    guard isFixed(id), chain < Self.chainLimit else { return nil }
    if let tensor = known[id] ?? graph[id].constant ?? self[id].constant {
      return tensor.hasData ? tensor : nil
    }
    guard let maker = graph[id].definingNode, let (found, call) = invocation(of: maker),
      found.macs(call) <= Self.macLimit, let index = graph[maker].outputs.firstIndex(of: id)
    else { return nil }
    var operands: [Tensor?] = []
    for input in graph[maker].inputs {
      let operand = input.flatMap { fixedTensor(of: $0, &known, chain: chain + 1) }
      guard input == nil || operand != nil else { return nil }
      operands.append(operand)
    }
    guard let tensors = try? found.evaluate(call, operands), index < tensors.count else {
      return nil
    }
    known[id] = tensors[index]
    return tensors[index]
  }
}
