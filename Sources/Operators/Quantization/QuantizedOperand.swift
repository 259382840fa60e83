import PrunecGraphIR
import PrunecTensors

/// Operand or result of an operator of onnxruntime in integers of eight bits: numbers that have one scale and
/// one zero point, which are operands of their own. The zero point may be left out, for zero.
struct QuantizedOperand {
  /// The place of the integers; `nil` for those of the result.
  var integers: Int?
  let scale: Int
  let zeroPoint: Int

  /// Those of the operand at `place`, whose scale and zero point follow it.
  init(at place: Int) { (integers, scale, zeroPoint) = (place, place + 1, place + 2) }

  /// Those of the result.
  init(resultWithScale scale: Int) {
    (integers, self.scale, zeroPoint) = (nil, scale, scale + 1)
  }

  /// Throws where an operand is missing, or known to be of another type or shape.
  func check(_ call: Invocation) throws(CompileError) {
    for index in [integers, scale].compactMap({ $0 }) where call.operand(index) == nil {
      throw call.malformed("operand \(index) is missing")
    }
    if let integers {
      try ZeroPoints.requireBytes(call, integers)
      try call.requireSameType(integers, zeroPoint)
    }
    try ZeroPoints.requireBytes(call, zeroPoint)
    try call.requireFloatingPoint(scale)
    try ZeroPoints.requireOne(call, scale, zeroPoint)
  }

  /// Whether scale and zero point are known to be one number each.
  func isSingle(_ call: Invocation) -> Bool {
    ZeroPoints.isSingle(call, scale) && ZeroPoints.isSingle(call, zeroPoint)
  }

  private func zero(_ operands: [Tensor?]) -> Int {
    (zeroPoint < operands.count ? operands[zeroPoint]?.integers.first : nil) ?? 0
  }

  /// The numbers that the operand's integers stand for.
  func numbers(_ operands: [Tensor?]) -> Tensor {
    let tensor = operands[integers!]!
    let (zero, factor) = (zero(operands), operands[scale]!.floats[0])
    return Tensor(tensor.integers.map { Float($0 - zero) * factor }, shape: tensor.shape)
  }

  /// The integers of `type` that stand for `numbers` in the result.
  func quantized(_ numbers: Tensor, to type: ElementType, _ operands: [Tensor?]) -> Tensor {
    let (zero, divisor) = (zero(operands), operands[scale]!.floats[0])
    let range = type.integerRange
    let integers = numbers.floats.map { number -> Int in
      let quotient = (number / divisor).rounded(.toNearestOrEven)
      guard !quotient.isNaN else { return range.lowerBound }
      return Int(max(Float(range.lowerBound), min(Float(range.upperBound), quotient + Float(zero))))
    }
    return Tensor(wrapping: integers, to: type, shape: numbers.shape)
  }
}

extension Invocation {
  /// The use of the operator `signature` of ONNX, with the node's own attributes as far as it has them, on other
  /// operands: what an operator of onnxruntime does to the numbers that its integers stand for.
  func floatTwin(
    _ signature: Signature, opset: Int, operands: [ValueFacts?]
  ) -> Invocation {
    Invocation(
      signature: signature, opset: opset,
      attributes: attributes.filter { signature.attributes[$0.name] != nil }, operands: operands,
      results: [.unknown], location: location)
  }
}
