import PrunecGraphIR
import PrunecTensors

/// The comparisons, `C = A op B` with multidirectional broadcasting and booleans for a result: they
/// differ in nothing but the formula. With NaN all are false.
///
/// ONNX opset 7 to 28: Equal, Less, Greater; 12 to 28: LessOrEqual, GreaterOrEqual.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct Comparison: DiscontinuousOperator {
  let signature: Signature
  private let double: @Sendable (Double, Double) -> Bool
  private let integer: @Sendable (Int, Int) -> Bool
  private let kernel: ElementwiseFormula

  private init(
    _ type: String, opsets: ClosedRange<Int> = 7...28,
    _ double: @escaping @Sendable (Double, Double) -> Bool,
    _ integer: @escaping @Sendable (Int, Int) -> Bool, _ kernel: ElementwiseFormula
  ) {
    self.kernel = kernel
    signature = Signature(type, opsets: opsets, operands: 2...2)
    self.double = double
    self.integer = integer
  }

  /// One operator for each formula.
  static let all: [Comparison] = [
    Comparison("Equal", { $0 == $1 }, { $0 == $1 }, ElementwiseFormula(.equal, operandCount: 2)),
    Comparison("Less", { $0 < $1 }, { $0 < $1 }, ElementwiseFormula(.less, operandCount: 2)),
    Comparison("Greater", { $0 > $1 }, { $0 > $1 }, swapped(.less)),
    Comparison(
      "LessOrEqual", opsets: 12...28, { $0 <= $1 }, { $0 <= $1 },
      ElementwiseFormula(.lessOrEqual, operandCount: 2)),
    Comparison(
      "GreaterOrEqual", opsets: 12...28, { $0 >= $1 }, { $0 >= $1 }, swapped(.lessOrEqual)),
  ]

  /// The operation with its operands exchanged.
  private static func swapped(_ operation: ElementwiseFormula.Operation) -> ElementwiseFormula {
    ElementwiseFormula(operandCount: 2, [.init(operation, [1, 0])])
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    _ = try call.commonElementType(0..<2)
    let shape = try Broadcasting.shape(of: [call.shape(0), call.shape(1)], call)
    let contents = SymbolicArithmetic.combine(
      [call.operand(0), call.operand(1)], type: .bool, shape: shape
    ) {
      pair in
      if case (.fixed(let a), .fixed(let b)) = (pair[0], pair[1]) {
        return .fixed(integer(a, b) ? 1 : 0)
      }
      return signature.operation.type == "Equal"
        ? SymbolicArithmetic.equal(pair[0], pair[1]) : .unknown
    }
    return [ValueFacts(.bool, shape, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<2, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let a = try call.tensor(0, of: operands).stretched(to: shape)
    let b = try call.tensor(1, of: operands).stretched(to: shape)
    let truths: [Bool]
    if a.elementType.isFloatingPoint {
      truths = zip(a.doubles, b.doubles).map { double($0, $1) }
    } else if a.elementType == .int64 {
      // The indices and identifiers of whole sequences: read where they are.
      truths = a.withElements(as: Int64.self) { x in
        b.withElements(as: Int64.self) { y in
          x.indices.map { integer(Int(x[$0]), Int(y[$0])) }
        }
      }
    } else if a.elementType.isNumeric {
      truths = zip(try call.integers(of: a), try call.integers(of: b)).map { integer($0, $1) }
    } else if let left = a.strings, let right = b.strings, signature.operation.type == "Equal" {
      truths = zip(left, right).map { $0 == $1 }
    } else {
      throw call.unsupported("a comparison of \(a.elementType.name) is not evaluated")
    }
    return [Tensor(.bool, shape: shape, elements: truths.map { $0 ? UInt8(1) : 0 })]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Comparison: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let type = call.elementType(0)!
    var formula = kernel
    // Registers hold integers of eight bits, and booleans, as floating point numbers.
    guard [.bool, .int8, .uint8].contains(type) else {
      return kernel.of(type).map { .elementwise($0) }
    }
    formula.takesIntegers = true
    return .elementwise(formula)
  }
}
