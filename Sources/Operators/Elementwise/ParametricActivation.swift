import Glibc

/// The activations that apply a function of one variable with one or two numbers for parameters, of
/// any shape: they differ in nothing but the formula.
///
/// ONNX opset 7 to 28: LeakyRelu, Elu, Selu, HardSigmoid; 10 to 28: ThresholdedRelu; 12 to 28: Celu.
///
/// Channels: every axis goes with itself.
struct ParametricActivation: Operator {
  let signature: Signature
  /// The attributes whose values the formula gets after the variable.
  let parameters: [String]
  let formula: @Sendable (Float, Float, Float) -> Float

  /// `second` is the second parameter beside `alpha`.
  private init(
    _ type: String, opsets: ClosedRange<Int> = 7...28, alpha: Float,
    second: (name: String, value: Float)? = nil,
    _ formula: @escaping @Sendable (Float, Float, Float) -> Float
  ) {
    var attributes: [String: Attribute.Value?] = ["alpha": .float(alpha)]
    if let second { attributes[second.name] = .float(second.value) }
    signature = Signature(type, opsets: opsets, operands: 1...1, attributes: attributes)
    parameters = ["alpha"] + (second.map { [$0.name] } ?? [])
    self.formula = formula
  }

  /// One operator for each formula: of x, of alpha (a), and of the second parameter.
  static let all: [ParametricActivation] = [
    ParametricActivation("LeakyRelu", alpha: 0.01) { x, a, _ in x < 0 ? a * x : x },
    ParametricActivation("Elu", alpha: 1) { x, a, _ in x < 0 ? a * expm1f(x) : x },
    ParametricActivation("Selu", alpha: 1.673_263_2, second: ("gamma", 1.050_701)) { x, a, gamma in
      gamma * (x > 0 ? x : a * expm1f(x))
    },
    ParametricActivation("HardSigmoid", alpha: 0.2, second: ("beta", 0.5)) { x, a, beta in
      max(0, min(1, a * x + beta))
    },
    ParametricActivation("ThresholdedRelu", opsets: 10...28, alpha: 1) { x, a, _ in x > a ? x : 0 },
    ParametricActivation("Celu", opsets: 12...28, alpha: 1) { x, a, _ in
      max(0, x) + min(0, a * expm1f(x / a))
    },
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    [ValueFacts(call.operand(0)?.type)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let x = try call.tensor(0, of: operands)
    guard x.elementType.isFloatingPoint else {
      throw call.unsupported(
        "\(signature.operation) of \(x.elementType.name) is not evaluated")
    }
    let alpha = try call.requiredFloat("alpha")
    let second = parameters.count > 1 ? try call.requiredFloat(parameters[1]) : 0
    return [x.mapFloats { formula($0, alpha, second) }]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
