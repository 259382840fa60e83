import PrunecGraphIR
import PrunecTensors

/// QLinearGlobalAveragePool (of onnxruntime's own operators, version 1): the means of the planes of quantised images, quantised. Shapes
/// as `QuantizedPooling` says.
///
/// Channels: each is pooled by itself.
struct QLinearGlobalAveragePool: Operator {
  let signature = Signature(
    "QLinearGlobalAveragePool", domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...5,
    attributes: ["channels_last": .int(0)])

  private static let pooling = GlobalPooling.all.first {
    $0.signature.operation.type == "GlobalAveragePool"
  }!

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try QuantizedPooling(call).inferFacts(Self.pooling)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    try? QuantizedPooling(call).relate(&relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return try QuantizedPooling(resolved).evaluate(
      Self.pooling, operands, to: resolved.results[0].elementType!)
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
