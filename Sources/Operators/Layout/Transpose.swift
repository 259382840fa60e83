import PrunecGraphIR
import PrunecTensors

/// Transpose (ONNX opset 7 to 28): axis `i` of the result is axis `perm[i]` of `data`; without
/// `perm` the axes are reversed.
///
/// Channels: every axis goes with the axis that it becomes.
struct Transpose: Operator {
  let signature = Signature("Transpose", operands: 1...1, attributes: ["perm": nil])

  private func permutation(_ call: Invocation, rank: Int) throws(CompileError) -> [Int] {
    guard let permutation = try call.optionalInts("perm") else { return (0..<rank).reversed() }
    guard permutation.count == rank, permutation.sorted() == Array(0..<rank) else {
      throw call.malformed("perm \(permutation) is no order of \(rank) axes")
    }
    return permutation
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard let input = call.shape(0) else {
      let rank = try call.optionalInts("perm")?.count
      return [ValueFacts(type, rank.map { [Dimension](repeating: .unknown, count: $0) })]
    }
    let permutation = try permutation(call, rank: input.count)
    let shape = permutation.map { input[$0] }
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let permutation = try? permutation(call, rank: rank)
    else { return }
    for (axis, source) in permutation.enumerated() {
      relations.equal(.operand(0, axis: source), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    return [data.transposed(try permutation(call, rank: data.rank))]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Transpose: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    try .views([[.permute(permutation(call, rank: call.shape(0)!.count))]])
  }
}
