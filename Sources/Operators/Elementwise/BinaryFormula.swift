import PrunecGraphIR
import PrunecTensors

/// A function of two variables on every kind of number that an operator takes.
struct BinaryFormula: Sendable {
  /// On float32, and on float16 and bfloat16 by way of it.
  let float: @Sendable (Float, Float) -> Float
  let double: @Sendable (Double, Double) -> Double
  /// On integers, modulo the width of their type; `nil` where the function is not defined.
  let integer: (@Sendable (Int, Int) -> Int?)?

  init(
    float: @escaping @Sendable (Float, Float) -> Float,
    double: @escaping @Sendable (Double, Double) -> Double,
    integer: (@Sendable (Int, Int) -> Int?)? = nil
  ) {
    self.float = float
    self.double = double
    self.integer = integer
  }

  /// The function of tensors of one element type, broadcast to `shape`.
  func apply(
    _ call: Invocation, _ a: Tensor, _ b: Tensor, shape: [Int]
  ) throws(CompileError) -> Tensor {
    let type = a.elementType
    guard b.elementType == type else { throw call.malformed("operands of two types") }
    let (a, b) = (a.stretched(to: shape), b.stretched(to: shape))
    switch type {
    case .float64:
      let elements = zip(a.doubles, b.doubles).map { double($0, $1) }
      return Tensor(rounding: elements, to: type, shape: shape)
    case _ where type.isFloatingPoint:
      let (x, y) = (a.floats, b.floats)
      let elements = x.indices.map { float(x[$0], y[$0]) }
      return Tensor(rounding: elements, to: type, shape: shape)
    default:
      guard let integer, type.isInteger else {
        throw call.unsupported("\(call.signature.operation) of \(type.name) is not evaluated")
      }
      let (x, y) = (try call.integers(of: a), try call.integers(of: b))
      var elements: [Int] = []
      elements.reserveCapacity(x.count)
      for index in x.indices {
        guard let element = integer(x[index], y[index]) else {
          throw call.malformed("\(call.signature.operation) of \(x[index]) and \(y[index])")
        }
        elements.append(element)
      }
      return Tensor(wrapping: elements, to: type, shape: shape)
    }
  }
}

extension Invocation {
  /// The elements of an integer tensor; unsigned ones that `Int` does not hold are refused.
  func integers(of tensor: Tensor) throws(CompileError) -> [Int] {
    let integers = tensor.integers
    if tensor.elementType == .uint64, integers.contains(.max) {
      throw unsupported("integers from 2^63 on are not computed with")
    }
    return integers
  }
}
