import PrunecGraphIR
import PrunecTensors

/// The element-wise functions of any number of operands, with multidirectional broadcasting: a
/// binary formula from the first operand to the last. NaN wins over every number.
///
/// ONNX opset 8 to 28 (7 without broadcasting): Sum, Mean, Min, Max; Min and Max on integers too.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct VariadicElementwise: Operator {
  let signature: Signature
  private let formula: BinaryFormula
  private let isMean: Bool
  private let kernel: ElementwiseFormula.Operation

  private init(
    _ type: String, _ kernel: ElementwiseFormula.Operation, _ formula: BinaryFormula,
    isMean: Bool = false
  ) {
    self.kernel = kernel
    signature = Signature(type, operands: 1...Int.max)
    self.formula = formula
    self.isMean = isMean
  }

  /// One operator for each formula.
  static let all: [VariadicElementwise] = [
    VariadicElementwise("Sum", .add, BinaryFormula(float: { $0 + $1 }, double: { $0 + $1 })),
    VariadicElementwise(
      "Mean", .add, BinaryFormula(float: { $0 + $1 }, double: { $0 + $1 }), isMean: true),
    VariadicElementwise(
      "Min", .minimum,
      BinaryFormula(
        float: { $1 < $0 || $1.isNaN ? $1 : $0 }, double: { $1 < $0 || $1.isNaN ? $1 : $0 },
        integer: { min($0, $1) })),
    VariadicElementwise(
      "Max", .maximum,
      BinaryFormula(
        float: { $1 > $0 || $1.isNaN ? $1 : $0 }, double: { $1 > $0 || $1.isNaN ? $1 : $0 },
        integer: { max($0, $1) })),
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
    var result = try call.tensor(0, of: operands).stretched(to: shape)
    for index in operands.indices.dropFirst() {
      result = try formula.apply(call, result, call.tensor(index, of: operands), shape: shape)
    }
    if isMean {
      let count = Tensor(rounding: [Float(operands.count)], to: .float32, shape: [])
      guard result.elementType.isFloatingPoint,
        let divisor = count.converted(to: result.elementType)
      else { throw call.unsupported("the mean of \(result.elementType.name) is not evaluated") }
      result = try BinaryFormula(float: { $0 / $1 }, double: { $0 / $1 }).apply(
        call, result, divisor, shape: shape)
    }
    return [result]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension VariadicElementwise: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let count = call.operands.count
    guard count <= 8 else { return nil }
    var instructions: [ElementwiseFormula.Instruction] = []
    for index in 1..<max(1, count) {
      instructions.append(.init(kernel, [index == 1 ? 0 : count + index - 2, index]))
    }
    guard let last = instructions.indices.last else { return .reshape(call) }
    if isMean {
      instructions.append(.init(.number(Float(count)), []))
      instructions.append(.init(.divide, [count + last, count + last + 1]))
    }
    return ElementwiseFormula(operandCount: count, instructions).of(call.elementType(0)!).map {
      .elementwise($0)
    }
  }
}
