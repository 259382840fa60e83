import PrunecGraphIR
import PrunecTensors

/// ArrayFeatureExtractor (ONNX's classical operators, version 1 to 5): the elements of `X [..., C]` at the places along
/// the last axis that `Y`, n integers, lists: `Z [..., n]`, or `[1, n]` of a vector.
///
/// Channels: the last axis is pinned, since places count along it; the others are those of Z.
struct ArrayFeatureExtractor: Operator {
  let signature = Signature(
    "ArrayFeatureExtractor", domain: Signature.classicalDomain, opsets: 1...5, operands: 2...2)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    if let type = call.elementType(1), type != .int64 {
      throw call.malformed("the places are of type \(type.name)")
    }
    guard let shape = call.shape(0) else { return [ValueFacts(call.elementType(0), nil)] }
    guard !shape.isEmpty else { throw call.malformed("X is a scalar") }
    let count = call.operand(1)?.fixedShape?.checkedElementCount
    if count == 0 { throw call.malformed("there are no places") }
    let leading = shape.count == 1 ? [.fixed(1)] : Array(shape.dropLast())
    return [
      ValueFacts(call.elementType(0), leading + [count.map { Dimension.fixed($0) } ?? .unknown])
    ]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let rank = call.shape(0)?.count, rank > 0 else { return }
    for axis in 0..<(rank - 1) { relations.equal(.operand(0, axis: axis), .result(axis: axis)) }
    relations.pin(.operand(0, axis: rank - 1), because: "elements are looked up along it")
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let (x, places) = (operands[0]!, operands[1]!.integers)
    guard places.allSatisfy({ (0..<x.shape.last!).contains($0) }) else {
      throw call.malformed("a place is out of range for \(x.shape.last!) elements")
    }
    return [x.keeping(places, alongAxis: x.rank - 1).reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
