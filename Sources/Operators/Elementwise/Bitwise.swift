import PrunecGraphIR
import PrunecTensors

/// The functions of the bits of integers, with multidirectional broadcasting: they differ in nothing but
/// the formula.
///
/// ONNX opset 18 to 28: BitwiseAnd, BitwiseOr, BitwiseXor, and BitwiseNot of one operand.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct Bitwise: Operator {
  let signature: Signature
  private let formula: @Sendable (Int, Int) -> Int

  private init(
    _ type: String, operands: Int = 2, _ formula: @escaping @Sendable (Int, Int) -> Int
  ) {
    signature = Signature(type, opsets: 18...28, operands: operands...operands)
    self.formula = formula
  }

  /// One operator for each formula. The only operand of BitwiseNot is both the first and the last.
  static let all: [Bitwise] = [
    Bitwise("BitwiseAnd") { $0 & $1 },
    Bitwise("BitwiseOr") { $0 | $1 },
    Bitwise("BitwiseXor") { $0 ^ $1 },
    Bitwise("BitwiseNot", operands: 1) { ~($0 & $1) },
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(call.operands.indices)
    return [ValueFacts(type, try Broadcasting.shape(of: call.operands.map { $0?.shape }, call))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: call.operands.indices, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let (a, b) = (
      try call.tensor(0, of: operands), try call.tensor(operands.count - 1, of: operands)
    )
    guard a.elementType.isInteger else {
      throw call.unsupported("\(signature.operation) of \(a.elementType.name) is not evaluated")
    }
    let bits = zip(a.stretched(to: shape).bitPatterns, b.stretched(to: shape).bitPatterns)
    return [Tensor(wrapping: bits.map(formula), to: a.elementType, shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Tensor {
  /// The elements of an integer tensor as the numbers of the same bits, which for unsigned ones of 64
  /// bits may be other numbers.
  var bitPatterns: [Int] {
    elementType == .uint64 ? array(of: Int64.self).map(Int.init) : integers
  }
}
