import PrunecGraphIR
import PrunecTensors

/// Scaler (ONNX's classical operators, version 1 to 5): `Y = (X - offset) scale` in float32, with `X`, `Y [N, C]` or
/// `[C]`, and one number, or one for each of the C features, in either attribute.
///
/// Channels: every axis goes with itself, and the numbers of features with them.
struct Scaler: Operator {
  let signature = Signature(
    "Scaler", domain: Signature.classicalDomain, opsets: 1...5, operands: 1...1,
    attributes: ["offset": nil, "scale": nil])

  private static let names = ["offset", "scale"]

  /// The numbers of an attribute, which are one, or as many as there are features.
  private func numbers(_ call: Invocation, _ name: String) throws(CompileError) -> [Float] {
    guard let numbers = call.floats(name), !numbers.isEmpty else {
      throw call.malformed("'\(name)' must be a list of floats")
    }
    guard numbers.count > 1 else { return numbers }
    if let features = call.shape(0)?.last?.fixedExtent, features != numbers.count {
      throw call.malformed("'\(name)' has \(numbers.count) elements for \(features) features")
    }
    return numbers
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for name in Self.names { _ = try numbers(call, name) }
    if let rank = call.shape(0)?.count, rank != 1, rank != 2 {
      throw call.malformed("X has \(rank) axes")
    }
    return [ValueFacts(.float32, call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let rank = call.shape(0)?.count, let kept = cut[.operand(0, axis: rank - 1)] else {
      return []
    }
    var adaptations: [Adaptation] = []
    for name in Self.names {
      let numbers = try numbers(call, name)
      guard numbers.count > 1 else { continue }
      adaptations.append(.attribute(Attribute(name, .floats(kept.map { numbers[$0] }))))
    }
    return adaptations
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = operands[0]!
    let (offset, scale) = (try numbers(resolved, "offset"), try numbers(resolved, "scale"))
    let features = max(x.shape.last ?? 1, 1)
    let y = x.doubles.enumerated().map { index, element in
      let feature = index % features
      return (Float(element) - offset[offset.count == 1 ? 0 : feature])
        * scale[scale.count == 1 ? 0 : feature]
    }
    return [Tensor(y, shape: x.shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
