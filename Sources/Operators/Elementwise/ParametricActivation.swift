import Glibc
import PrunecGraphIR
import PrunecTensors

/// The activations that apply a function of one variable with one or two numbers for parameters, of
/// any shape: they differ in nothing but the formula.
///
/// ONNX opset 7 to 28: LeakyRelu, Elu, Selu, HardSigmoid; 9 to 28: Shrink, on integers too; 10 to 28:
/// ThresholdedRelu; 12 to 28: Celu; 24 to 28: Swish. onnxruntime's own: QuickGelu.
///
/// Channels: every axis goes with itself.
struct ParametricActivation: DiscontinuousOperator {
  let signature: Signature
  /// The attributes whose values the formula gets after the variable.
  let parameters: [String]
  let formula: @Sendable (Float, Float, Float) -> Float
  private let takesIntegers: Bool
  /// What the kernels compute, given the parameters.
  private let kernel: (@Sendable ([Float]) -> ElementwiseFormula)?

  private init(
    _ type: String, domain: String = "", opsets: ClosedRange<Int> = 7...28,
    takesIntegers: Bool = false, _ parameters: KeyValuePairs<String, Float>,
    _ formula: @escaping @Sendable (Float, Float, Float) -> Float,
    kernel: (@Sendable ([Float]) -> ElementwiseFormula)? = nil
  ) {
    self.parameters = parameters.map(\.key)
    let attributes = parameters.map { ($0.key, Attribute.Value?.some(.float($0.value))) }
    signature = Signature(
      type, domain: domain, opsets: opsets, operands: 1...1,
      attributes: Dictionary(uniqueKeysWithValues: attributes))
    self.takesIntegers = takesIntegers
    self.kernel = kernel
    self.formula = formula
  }

  /// One operator for each formula: of x, and of the one or two parameters.
  static let all: [ParametricActivation] = [
    ParametricActivation(
      "LeakyRelu", ["alpha": 0.01], { x, a, _ in x < 0 ? a * x : x },
      kernel: { .activation(.leakyRelu, $0[0]) }),
    ParametricActivation(
      "Elu", ["alpha": 1], { x, a, _ in x < 0 ? a * expm1f(x) : x },
      kernel: { .unary(.elu(alpha: $0[0])) }),
    ParametricActivation(
      "Selu", ["alpha": 1.673_263_2, "gamma": 1.050_701],
      { x, a, gamma in gamma * (x > 0 ? x : a * expm1f(x)) },
      kernel: {
        ElementwiseFormula(
          operandCount: 1,
          [.init(.elu(alpha: $0[0]), [0]), .init(.number($0[1]), []), .init(.multiply, [1, 2])])
      }),
    ParametricActivation(
      "HardSigmoid", ["alpha": 0.2, "beta": 0.5], { x, a, beta in max(0, min(1, a * x + beta)) },
      kernel: { .activation(.hardSigmoid, $0[0], $0[1]) }),
    ParametricActivation(
      "Shrink", opsets: 9...28, takesIntegers: true, ["lambd": 0.5, "bias": 0],
      { x, limit, bias in x < -limit ? x + bias : (x > limit ? x - bias : 0) }),
    ParametricActivation(
      "ThresholdedRelu", opsets: 10...28, ["alpha": 1], { x, a, _ in x > a ? x : 0 }),
    ParametricActivation(
      "Celu", opsets: 12...28, ["alpha": 1],
      { x, a, _ in max(0, x) + min(0, a * expm1f(x / a)) }),
    ParametricActivation(
      "Swish", opsets: 24...28, ["alpha": 1], { x, a, _ in swish(x, a) },
      kernel: { .activation(.silu, $0[0]) }),
    ParametricActivation(
      "QuickGelu", domain: Signature.runtimeDomain, opsets: 1...1, ["alpha": 1.702],
      { x, a, _ in swish(x, a) }, kernel: { .activation(.silu, $0[0]) }),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    [ValueFacts(call.operand(0)?.type)]
  }

  func isDiscontinuous(_ call: Invocation) -> Bool {
    ["Shrink", "ThresholdedRelu"].contains(signature.operation.type)
      && call.readsComputedFractions
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let x = try call.tensor(0, of: operands)
    let first = try call.requiredFloat(parameters[0])
    let second = parameters.count > 1 ? try call.requiredFloat(parameters[1]) : 0
    if x.elementType.isFloatingPoint { return [x.mapFloats { formula($0, first, second) }] }
    guard takesIntegers, x.elementType.isInteger else {
      throw call.unsupported(
        "\(signature.operation) of \(x.elementType.name) is not evaluated")
    }
    let values = x.floats.map { formula($0, first, second) }
    return [Tensor(values, shape: x.shape).converted(to: x.elementType)!]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

/// x · sigmoid(a · x).
private func swish(_ x: Float, _ a: Float) -> Float { x / (1 + expf(-a * x)) }

extension ParametricActivation: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint, let kernel else { return nil }
    let values = try parameters.map { (name) throws(CompileError) in try call.requiredFloat(name) }
    return .elementwise(kernel(values))
  }
}
