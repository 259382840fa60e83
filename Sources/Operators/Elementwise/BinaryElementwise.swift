import PrunecGraphIR
import PrunecTensors

/// The operators of arithmetic, `C = A op B` with multidirectional broadcasting: they differ in
/// nothing but the formula.
///
/// ONNX opset 7 to 28: Add, Sub, Mul, Div. Integers wrap around, and their division truncates
/// towards zero; dividing one by zero is an error of the model.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct BinaryElementwise: Operator {
  let signature: Signature
  private let formula: BinaryFormula
  private let kernel: ElementwiseFormula.Operation
  private let symbolic: @Sendable (SymbolicInteger, SymbolicInteger) -> SymbolicInteger

  private init(
    _ type: String, _ formula: BinaryFormula, _ kernel: ElementwiseFormula.Operation,
    symbolic: @escaping @Sendable (SymbolicInteger, SymbolicInteger) -> SymbolicInteger
  ) {
    signature = Signature(type, operands: 2...2)
    self.formula = formula
    self.kernel = kernel
    self.symbolic = symbolic
  }

  /// One operator for each formula.
  static let all: [BinaryElementwise] = [
    BinaryElementwise(
      "Add", BinaryFormula(float: { $0 + $1 }, double: { $0 + $1 }, integer: { $0 &+ $1 }), .add,
      symbolic: SymbolicArithmetic.add),
    BinaryElementwise(
      "Sub", BinaryFormula(float: { $0 - $1 }, double: { $0 - $1 }, integer: { $0 &- $1 }),
      .subtract,
      symbolic: SymbolicArithmetic.subtract),
    BinaryElementwise(
      "Mul", BinaryFormula(float: { $0 * $1 }, double: { $0 * $1 }, integer: { $0 &* $1 }),
      .multiply,
      symbolic: SymbolicArithmetic.multiply),
    BinaryElementwise(
      "Div",
      BinaryFormula(
        float: { $0 / $1 }, double: { $0 / $1 },
        integer: { $1 == 0 ? nil : $0.dividedReportingOverflow(by: $1).partialValue }), .divide,
      symbolic: SymbolicArithmetic.divide),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(0..<2)
    let shape = try Broadcasting.shape(of: [call.shape(0), call.shape(1)], call)
    let isFloatingPoint = type?.isFloatingPoint ?? true
    let contents = SymbolicArithmetic.combine(
      [call.operand(0), call.operand(1)], type: type, shape: shape
    ) {
      isFloatingPoint ? exact($0[0], $0[1]) : symbolic($0[0], $0[1])
    }
    return [ValueFacts(type, shape, contents: contents)]
  }

  /// The result for two whole numbers, where it is one.
  private func exact(_ a: SymbolicInteger, _ b: SymbolicInteger) -> SymbolicInteger {
    guard case .fixed(let x) = a, case .fixed(let y) = b else { return .unknown }
    return SymbolicInteger(wholeNumber: formula.double(Double(x), Double(y)))
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<2, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    return [
      try formula.apply(
        call, call.tensor(0, of: operands), call.tensor(1, of: operands), shape: shape)
    ]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension BinaryElementwise: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    ElementwiseFormula(kernel, operandCount: 2).of(call.elementType(0)!).map { .elementwise($0) }
  }
}
