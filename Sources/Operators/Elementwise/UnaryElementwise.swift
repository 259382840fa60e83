import Glibc
import PrunecGraphIR
import PrunecTensors

/// The operators that apply a function of one variable to every element, `Y = f(X)`, of any shape:
/// they differ in nothing but the formula.
///
/// ONNX opset 7 to 28: Relu, Sigmoid, Tanh, Erf, Exp, Log, Sqrt, Abs, Neg, Reciprocal, Floor, Ceil,
/// Sin, Cos, Tan, Asin, Acos, Atan, Sign, Softplus, Softsign, HardSwish, Mish; 9 to 28: Sinh, Cosh, Asinh,
/// Acosh, Atanh; 11 to 28: Round, halves to even. Relu, Abs, Neg and Sign on integers too.
package struct UnaryElementwise: DiscontinuousOperator {
  package let signature: Signature
  let formula: @Sendable (Float) -> Float
  /// The same on integers, where the operator takes them.
  private let integerFormula: (@Sendable (Int) -> Int)?

  private let kernel: ElementwiseFormula?

  private init(
    _ type: String, opsets: ClosedRange<Int> = 7...28,
    _ formula: @escaping @Sendable (Float) -> Float, integer: (@Sendable (Int) -> Int)? = nil,
    kernel: ElementwiseFormula? = nil
  ) {
    self.kernel = kernel
    signature = Signature(type, opsets: opsets, operands: 1...1)
    self.formula = formula
    integerFormula = integer
  }

  /// One operator for each formula.
  package static let all: [UnaryElementwise] = [
    UnaryElementwise("Relu", { max($0, 0) }, integer: { max($0, 0) }, kernel: .activation(.relu)),
    UnaryElementwise("Sigmoid", { 1 / (1 + expf(-$0)) }, kernel: .activation(.sigmoid)),
    UnaryElementwise("Tanh", { tanhf($0) }, kernel: .activation(.tanh)),
    UnaryElementwise("Erf", { erff($0) }, kernel: .unary(.errorFunction)),
    UnaryElementwise("Exp", { expf($0) }, kernel: .unary(.exponential)),
    UnaryElementwise("Log", { logf($0) }, kernel: .unary(.logarithm)),
    UnaryElementwise("Sqrt", { $0.squareRoot() }, kernel: .unary(.squareRoot)),
    UnaryElementwise(
      "Abs", { abs($0) }, integer: { $0 < 0 ? 0 &- $0 : $0 }, kernel: .unary(.absolute)),
    UnaryElementwise("Neg", { -$0 }, integer: { 0 &- $0 }, kernel: .unary(.negate)),
    UnaryElementwise("Reciprocal", { 1 / $0 }, kernel: .unary(.reciprocal)),
    UnaryElementwise("Floor", { floorf($0) }, kernel: .unary(.floor)),
    UnaryElementwise("Ceil", { ceilf($0) }, kernel: .unary(.ceiling)),
    UnaryElementwise("Sin", { sinf($0) }, kernel: .unary(.sine)),
    UnaryElementwise("Cos", { cosf($0) }, kernel: .unary(.cosine)),
    UnaryElementwise("Tan") { tanf($0) },
    UnaryElementwise("Asin") { asinf($0) },
    UnaryElementwise("Acos") { acosf($0) },
    UnaryElementwise("Atan") { atanf($0) },
    UnaryElementwise("Sinh", opsets: 9...28) { sinhf($0) },
    UnaryElementwise("Cosh", opsets: 9...28) { coshf($0) },
    UnaryElementwise("Asinh", opsets: 9...28) { asinhf($0) },
    UnaryElementwise("Acosh", opsets: 9...28) { acoshf($0) },
    UnaryElementwise("Atanh", opsets: 9...28) { atanhf($0) },
    UnaryElementwise("Round", opsets: 11...28, { rintf($0) }, kernel: .unary(.round)),
    UnaryElementwise(
      "Sign", { $0 > 0 ? 1 : ($0 < 0 ? -1 : $0) }, integer: { $0.signum() }, kernel: .unary(.sign)),
    UnaryElementwise(
      "Softplus", { $0 > 0 ? $0 + log1pf(expf(-$0)) : log1pf(expf($0)) }, kernel: .unary(.softplus)),
    UnaryElementwise(
      "Softsign", { $0 / (1 + abs($0)) },
      kernel: ElementwiseFormula(
        operandCount: 1,
        [
          .init(.absolute, [0]), .init(.number(1), []), .init(.add, [1, 2]),
          .init(.divide, [0, 3]),
        ])),
    UnaryElementwise(
      "HardSwish", { $0 * max(0, min(1, $0 / 6 + 0.5)) }, kernel: .activation(.hardSwish)),
    UnaryElementwise(
      "Mish", { $0 * tanhf(log1pf(expf($0))) },
      kernel: ElementwiseFormula(
        operandCount: 1,
        [
          .init(.softplus, [0]), .init(.activate(Activation(.tanh)), [1]),
          .init(.multiply, [0, 2]),
        ])),
  ]

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let operand = call.operand(0)
    let isFloatingPoint = operand?.elementType?.isFloatingPoint ?? true
    let contents = SymbolicArithmetic.combine(
      [operand], type: operand?.elementType, shape: operand?.shape
    ) { elements in
      guard let number = elements[0].number else { return .unknown }
      if isFloatingPoint { return SymbolicInteger(wholeNumber: Double(formula(Float(number)))) }
      return integerFormula.map { .fixed($0(number)) } ?? .unknown
    }
    return [ValueFacts(operand?.type, contents: contents)]
  }

  package func isDiscontinuous(_ call: Invocation) -> Bool {
    ["Ceil", "Floor", "Round", "Sign"].contains(signature.operation.type)
      && call.readsComputedFractions
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let operand = try call.tensor(0, of: operands)
    if operand.elementType.isInteger, let integerFormula {
      return [
        Tensor(
          wrapping: operand.integers.map(integerFormula), to: operand.elementType,
          shape: operand.shape)
      ]
    }
    guard operand.elementType.isFloatingPoint else {
      throw call.unsupported(
        "\(signature.operation) of \(operand.elementType.name) is not evaluated")
    }
    return [operand.mapFloats(formula)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension Tensor {
  /// The tensor with `formula` applied to every element of a floating point type.
  func mapFloats(_ formula: (Float) -> Float) -> Tensor {
    guard elementType == .float32 else {
      return Tensor(rounding: floats.map(formula), to: elementType, shape: shape)
    }
    let storage = withElements(as: Float.self) { source in
      TensorStorage(byteCount: byteCount) { bytes in
        let target = bytes.assumingMemoryBound(to: Float.self)
        for index in source.indices { target[index] = formula(source[index]) }
      }
    }
    return Tensor(.float32, shape: shape, storage: storage)
  }
}

extension UnaryElementwise: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    call.elementType(0)!.isFloatingPoint ? kernel.map { .elementwise($0) } : nil
  }
}
