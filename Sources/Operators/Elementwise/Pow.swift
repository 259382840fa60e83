import Glibc
import PrunecGraphIR
import PrunecTensors

/// Pow (ONNX opset 7 to 28): `Z = X ^ Y` with multidirectional broadcasting and the element type of
/// X; since opset 12 that of Y may be another. Integers to integers wrap around; a negative power of
/// zero is an error of the model.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct Pow: Operator {
  let signature = Signature("Pow", operands: 2...2)

  private static let formula = BinaryFormula(
    float: { powf($0, $1) }, double: { pow($0, $1) }, integer: { Self.power($0, $1) })

  private static func power(_ base: Int, _ exponent: Int) -> Int? {
    if exponent < 0 {
      switch base {
      case 0: return nil
      case 1: return 1
      case -1: return exponent % 2 == 0 ? 1 : -1
      default: return 0
      }
    }
    var (result, square, rest) = (1, base, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result = result &* square }
      square = square &* square
      rest >>= 1
    }
    return result
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let shape = try Broadcasting.shape(of: [call.shape(0), call.shape(1)], call)
    return [ValueFacts(call.elementType(0), shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<2, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let base = try call.tensor(0, of: operands)
    let exponent = try call.tensor(1, of: operands)
    // The power is computed in the type that holds more, and then converted to the base's.
    let isFractional = base.elementType.isInteger && exponent.elementType.isFloatingPoint
    let type = isFractional ? ElementType.float64 : base.elementType
    guard let x = base.converted(to: type),
      let y = exponent.converted(to: type.isInteger ? .int64 : type)?.converted(to: type)
    else { throw call.unsupported("Pow of \(base.elementType.name) is not evaluated") }
    let power = try Self.formula.apply(call, x, y, shape: shape)
    return [power.converted(to: base.elementType)!]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Pow: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint, call.elementType(1)!.isFloatingPoint else {
      return nil
    }
    guard let exponent = call.operand(1)?.constant, exponent.count == 1 else {
      return .elementwise(ElementwiseFormula(.power, operandCount: 2))
    }
    switch exponent.floats[0] {
    case 2: return .elementwise(ElementwiseFormula(operandCount: 1, [.init(.multiply, [0, 0])]))
    case 0.5: return .elementwise(.unary(.squareRoot))
    default: return .elementwise(ElementwiseFormula(.power, operandCount: 2))
    }
  }
}
