import PrunecGraphIR
import PrunecTensors

/// The gaussian error linear units that add a vector first, `Y = gelu(X + B)` with B along the last axis:
/// onnxruntime's own BiasGelu, and FastGelu, whose B may be left out and whose gelu is the approximation by
/// a hyperbolic tangent.
///
/// Channels: every axis goes with itself, the last one with B.
struct BiasedGelu: Operator {
  let signature: Signature
  private let formula: @Sendable (Float) -> Float
  private let kernel: Activation.Function

  private init(
    _ type: String, operands: ClosedRange<Int>, _ kernel: Activation.Function,
    _ formula: @escaping @Sendable (Float) -> Float
  ) {
    self.kernel = kernel
    signature = Signature(
      type, domain: Signature.runtimeDomain, opsets: 1...1, operands: operands)
    self.formula = formula
  }

  static let all = [
    BiasedGelu("BiasGelu", operands: 2...2, .gelu) { Gelu.exact($0) },
    BiasedGelu("FastGelu", operands: 1...2, .approximateGelu) { Gelu.approximate($0) },
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1)
    try call.requireSameType(0, 1)
    if let shape = call.shape(0), call.operand(1) != nil {
      guard let last = shape.last else { throw call.malformed("operand 0 is a scalar") }
      try call.requireVector(1, of: last.fixedExtent)
    }
    return [ValueFacts(call.operand(0)?.type)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<2, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    guard operands.count > 1, let bias = operands[1] else { return [x.mapFloats(formula)] }
    let (elements, addends) = (x.floats, bias.floats)
    let sums = elements.indices.map { formula(elements[$0] + addends[$0 % addends.count]) }
    return [Tensor(rounding: sums, to: x.elementType, shape: x.shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension BiasedGelu: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.operand(1) != nil else { return .elementwise(.activation(kernel)) }
    return .elementwise(
      ElementwiseFormula(
        operandCount: 2, [.init(.add, [0, 1]), .init(.activate(Activation(kernel)), [2])]))
  }
}
