import PrunecGraphIR
import PrunecTensors

/// The questions that are asked of every floating point element: IsNaN (ONNX opset 9 to 28), and IsInf
/// (opset 10 to 28), where one sign of infinity may be left out. Y has the shape of X and is boolean.
///
/// Channels: every axis goes with itself.
struct Classification: Operator {
  let signature: Signature
  /// The answer, given whether infinities below and above zero are meant.
  private let formula: @Sendable (Float, Bool, Bool) -> Bool

  static let all = [
    Classification(signature: Signature("IsNaN", opsets: 9...28, operands: 1...1)) { x, _, _ in
      x.isNaN
    },
    Classification(
      signature: Signature(
        "IsInf", opsets: 10...28, operands: 1...1,
        attributes: ["detect_negative": .int(1), "detect_positive": .int(1)])
    ) { x, below, above in
      x == .infinity && above || x == -.infinity && below
    },
  ]

  private func isMeant(_ name: String, _ call: Invocation) throws(CompileError) -> Bool {
    guard signature.attributes[name] != nil else { return true }
    return try call.requiredInt(name) != 0
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for name in signature.attributes.keys.sorted() { _ = try call.requiredInt(name) }
    return [ValueFacts(.bool, call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let x = try call.tensor(0, of: operands)
    guard x.elementType.isFloatingPoint else {
      throw call.unsupported("\(signature.operation) of \(x.elementType.name) is not evaluated")
    }
    let below = try isMeant("detect_negative", call)
    let above = try isMeant("detect_positive", call)
    // In double precision, of which some numbers would become infinite in single.
    let answers = x.doubles.map { value -> UInt8 in
      let single = value.isFinite ? 0 : Float(value)
      return formula(single, below, above) ? 1 : 0
    }
    return [Tensor(.bool, shape: x.shape, elements: answers)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
