import PrunecGraphIR
import PrunecTensors

/// EyeLike (ONNX opset 9 to 28): a matrix of the extents of `input` with ones on a diagonal, the main one
/// or the `k`-th above it, and zeros elsewhere; of the type `dtype`, or that of `input`.
///
/// Channels: the places of rows and columns count, so that all axes are pinned.
struct EyeLike: Operator {
  let signature = Signature(
    "EyeLike", opsets: 9...28, operands: 1...1, attributes: ["dtype": nil, "k": .int(0)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    _ = try call.requiredInt("k")
    var type = call.elementType(0)
    if call.has("dtype") {
      let number = try call.requiredInt("dtype")
      guard let named = Int32(exactly: number).flatMap(ElementType.init(rawValue:)) else {
        throw call.malformed("there is no element type \(number)")
      }
      type = named
    }
    let shape = call.shape(0)
    guard shape?.count ?? 2 == 2 else { throw call.malformed("the operand is no matrix") }
    return [ValueFacts(type, shape ?? [.unknown, .unknown])]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in 0..<2 {
      for reference in [AxisReference.operand(0, axis: axis), .result(axis: axis)] {
        relations.pin(reference, because: "the places of rows and columns count")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let facts = try resolve(call, on: operands).results[0]
    let shape = facts.fixedShape!
    let diagonal = min(max(try call.requiredInt("k"), -shape[0]), shape[1])
    var ones = [Int](repeating: 0, count: shape.elementCount)
    for row in max(0, -diagonal)..<max(0, -diagonal, min(shape[0], shape[1] - diagonal)) {
      ones[row * shape[1] + row + diagonal] = 1
    }
    guard let type = facts.elementType, let result = Tensor(ones, shape: shape).converted(to: type)
    else { throw call.unsupported("EyeLike of this type is not evaluated") }
    return [result]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
