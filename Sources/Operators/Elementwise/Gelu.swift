import Glibc
import PrunecGraphIR
import PrunecTensors

/// Gelu (ONNX opset 20 to 28, and of onnxruntime's own operators): `Y = X/2 (1 + erf(X / sqrt 2))`, or with `approximate = "tanh"`
/// `Y = X/2 (1 + tanh(sqrt(2/pi) (X + 0.044715 X^3)))`, of any shape.
///
/// Channels: every axis goes with itself.
struct Gelu: Operator {
  let signature: Signature

  /// The operator of ONNX, or onnxruntime's from before ONNX had one.
  init(domain: String = "") {
    signature = Signature(
      "Gelu", domain: domain, opsets: domain.isEmpty ? 20...28 : 1...1, operands: 1...1,
      attributes: ["approximate": .string(Array("none".utf8))])
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    guard let kind = call.string("approximate"), ["none", "tanh"].contains(kind) else {
      throw call.malformed("'approximate' must be 'none' or 'tanh'")
    }
    return [ValueFacts(call.operand(0)?.type)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    guard x.elementType.isFloatingPoint else {
      throw call.unsupported("Gelu of \(x.elementType.name) is not evaluated")
    }
    return [x.mapFloats(call.string("approximate") == "tanh" ? Self.approximate : Self.exact)]
  }

  static func exact(_ x: Float) -> Float { x / 2 * (1 + erff(x * Float(0.5).squareRoot())) }

  static func approximate(_ x: Float) -> Float {
    x / 2 * (1 + tanhf((2 / Float.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Gelu: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .elementwise(.activation(call.string("approximate") == "tanh" ? .approximateGelu : .gelu))
  }
}
