import PrunecGraphIR
import PrunecTensors

/// BitShift (ONNX opset 11 to 28): the bits of X moved by Y places to the `direction` LEFT or RIGHT, with
/// multidirectional broadcasting. What moves in is zero, or on the left the sign of a signed number; by
/// fewer places than none or more than there are, nothing else is left.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct BitShift: Operator {
  let signature = Signature(
    "BitShift", opsets: 11...28, operands: 2...2, attributes: ["direction": nil])

  private enum Direction: String {
    case left = "LEFT"
    case right = "RIGHT"
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let _: Direction = try call.choice("direction")
    let type = try call.commonElementType(0..<2)
    return [
      ValueFacts(type, try Broadcasting.shape(of: [call.shape(0), call.shape(1)], call))
    ]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<2, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = try call.tensor(0, of: operands).stretched(to: shape)
    let y = try call.tensor(1, of: operands).stretched(to: shape)
    let type = x.elementType
    guard type.isInteger else {
      throw call.unsupported("BitShift of \(type.name) is not evaluated")
    }
    let direction: Direction = try call.choice("direction")
    let isSigned = type.integerRange.lowerBound < 0
    let shifted = zip(x.bitPatterns, y.integers).map { bits, count in
      let isPossible = (0..<type.bitWidth).contains(count)
      if direction == .left { return isPossible ? bits << count : 0 }
      if isSigned { return isPossible ? bits >> count : bits.signum() < 0 ? -1 : 0 }
      return isPossible ? Int(bitPattern: UInt(bitPattern: bits) >> UInt(count)) : 0
    }
    return [Tensor(wrapping: shifted, to: type, shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
