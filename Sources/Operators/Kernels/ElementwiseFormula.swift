import PrunecTensors

/// A function of one variable with up to two parameters.
package struct Activation: Sendable, Hashable {
  package enum Function: Sendable, Hashable {
    case identity
    /// `max(0, x)`
    case relu
    /// `min(beta, max(alpha, x))`
    case clip
    /// `alpha x` below zero, `x` above
    case leakyRelu
    case sigmoid
    /// `x / (1 + exp(-alpha x))`
    case silu
    /// `max(0, min(1, alpha x + beta))`
    case hardSigmoid
    /// `x max(0, min(1, x / 6 + 1 / 2))`
    case hardSwish
    case tanh
    /// `x (1 + erf(x / sqrt 2)) / 2`
    case gelu
    /// Gelu with a hyperbolic tangent in place of the error function
    case approximateGelu
  }
  package var function: Function
  package var alpha: Float
  package var beta: Float

  package init(_ function: Function, alpha: Float = 0, beta: Float = 0) {
    (self.function, self.alpha, self.beta) = (function, alpha, beta)
  }

  package static let identity = Activation(.identity)
}

/// A function of elements at one place: a short program over registers. The operands are the first registers,
/// and every instruction's result is a further one; the last is the result.
package struct ElementwiseFormula: Sendable {
  package enum Operation: Sendable, Hashable {
    case number(Float)
    case add, subtract, multiply, divide
    /// NaN where an operand is.
    case minimum, maximum
    case power
    /// The remainder that has the sign of the dividend.
    case modulus
    /// One or zero.
    case less, lessOrEqual, equal
    /// Of operands that are one or zero.
    case and, or, xor, not
    /// The second operand where the first is not zero, else the third.
    case select
    case activate(Activation)
    case negate, absolute, reciprocal, squareRoot, exponential, logarithm, errorFunction, sine,
      cosine
    /// To the nearest whole number, halves to the even one.
    case floor, ceiling, round
    case sign
    /// `log(1 + exp(x))`
    case softplus
    /// `alpha (exp(x) - 1)` below zero
    case elu(alpha: Float)
    /// The nearest of what 8 bits hold; the least one where x is NaN.
    case toInt8, toUInt8
    /// To and from registers that hold int32; what is after the point is cut off.
    case toInt32, fromInt32
    /// On registers that hold int32; sums, differences and products wrap around.
    case addInt32, subtractInt32, multiplyInt32, minimumInt32, maximumInt32
    /// One or zero, as floating point numbers, of registers that hold int32.
    case lessInt32, lessOrEqualInt32, equalInt32
  }

  package struct Instruction: Sendable, Hashable {
    package var operation: Operation
    package var registers: [Int]

    package init(_ operation: Operation, _ registers: [Int]) {
      (self.operation, self.registers) = (operation, registers)
    }
  }

  package var operandCount: Int
  /// float32 tensors that broadcast like the operands, whose registers they follow.
  package var constants: [Tensor]
  package var instructions: [Instruction]
  /// Whether operands and result may be integers: of 8 bits, which registers hold as floating point numbers, or int32.
  package var takesIntegers: Bool

  package init(
    operandCount: Int, constants: [Tensor] = [], _ instructions: [Instruction],
    takesIntegers: Bool = false
  ) {
    self.operandCount = operandCount
    self.constants = constants
    self.instructions = instructions
    self.takesIntegers = takesIntegers
  }

  /// One operation of all operands in their order.
  package init(_ operation: Operation, operandCount: Int, takesIntegers: Bool = false) {
    self.init(
      operandCount: operandCount, [Instruction(operation, Array(0..<operandCount))],
      takesIntegers: takesIntegers)
  }

  package static func unary(
    _ operation: Operation, takesIntegers: Bool = false
  ) -> ElementwiseFormula {
    ElementwiseFormula(operation, operandCount: 1, takesIntegers: takesIntegers)
  }

  /// The formula with the instructions of int32 in place of those of floating point numbers; `nil` where there is none.
  package var ofInt32: ElementwiseFormula? {
    var formula = self
    formula.takesIntegers = true
    for (index, instruction) in instructions.enumerated() {
      switch instruction.operation {
      case .add: formula.instructions[index].operation = .addInt32
      case .subtract: formula.instructions[index].operation = .subtractInt32
      case .multiply: formula.instructions[index].operation = .multiplyInt32
      case .minimum: formula.instructions[index].operation = .minimumInt32
      case .maximum: formula.instructions[index].operation = .maximumInt32
      case .less: formula.instructions[index].operation = .lessInt32
      case .lessOrEqual: formula.instructions[index].operation = .lessOrEqualInt32
      case .equal: formula.instructions[index].operation = .equalInt32
      // A choice between two registers does not depend on the type that they hold.
      case .select: break
      default: return nil
      }
    }
    return formula
  }

  /// The formula for operands of a type; `nil` where kernels do not cover it.
  package func of(_ type: ElementType) -> ElementwiseFormula? {
    type.isFloatingPoint ? self : type == .int32 ? ofInt32 : nil
  }

  /// Whether elements of a type can be operands or results.
  package func takes(_ type: ElementType) -> Bool {
    type.isFloatingPoint || type == .bool
      || takesIntegers && [.int8, .uint8, .int32].contains(type)
  }

  package static func activation(
    _ function: Activation.Function, _ alpha: Float = 0, _ beta: Float = 0
  )
    -> ElementwiseFormula
  {
    .unary(.activate(Activation(function, alpha: alpha, beta: beta)))
  }

  /// The activation that the formula is, if it is nothing else.
  package var activation: Activation? {
    guard operandCount == 1, constants.isEmpty, instructions.count == 1,
      case .activate(let activation) = instructions[0].operation
    else { return nil }
    return activation
  }

  /// Whether the formula is that one operation of both its operands, in their order.
  package func isBinary(_ operation: Operation) -> Bool {
    operandCount == 2 && constants.isEmpty && instructions == [Instruction(operation, [0, 1])]
  }
}
