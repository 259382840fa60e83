import PrunecGraphIR
import PrunecTensors

/// The functions of truth values, with multidirectional broadcasting: they differ in nothing but the
/// formula.
///
/// ONNX opset 7 to 28: And, Or, Xor, and Not of one operand.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct Logical: Operator {
  let signature: Signature
  private let formula: @Sendable (Bool, Bool) -> Bool
  private let kernel: ElementwiseFormula.Operation

  private init(
    _ type: String, operands: Int = 2, _ kernel: ElementwiseFormula.Operation,
    _ formula: @escaping @Sendable (Bool, Bool) -> Bool
  ) {
    self.kernel = kernel
    signature = Signature(type, operands: operands...operands)
    self.formula = formula
  }

  /// One operator for each formula. The only operand of Not is both the first and the last.
  static let all: [Logical] = [
    Logical("And", .and) { $0 && $1 },
    Logical("Or", .or) { $0 || $1 },
    Logical("Xor", .xor) { $0 != $1 },
    Logical("Not", operands: 1, .not) { !($0 && $1) },
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    if let type = try call.commonElementType(call.operands.indices), type != .bool {
      throw call.malformed("operands are of type \(type.name)")
    }
    let shape = try Broadcasting.shape(of: call.operands.map { $0?.shape }, call)
    let contents = SymbolicArithmetic.combine(call.operands, type: .bool, shape: shape) {
      elements in
      guard case .fixed(let a)? = elements.first, case .fixed(let b)? = elements.last else {
        return .unknown
      }
      return .fixed(formula(a != 0, b != 0) ? 1 : 0)
    }
    return [ValueFacts(.bool, shape, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: call.operands.indices, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let a = try call.tensor(0, of: operands).stretched(to: shape).integers
    let b = try call.tensor(operands.count - 1, of: operands).stretched(to: shape).integers
    let truths = a.indices.map { formula(a[$0] != 0, b[$0] != 0) ? UInt8(1) : 0 }
    return [Tensor(.bool, shape: shape, elements: truths)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Logical: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .elementwise(ElementwiseFormula(kernel, operandCount: call.operands.count))
  }
}
