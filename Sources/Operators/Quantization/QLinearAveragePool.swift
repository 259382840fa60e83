import PrunecGraphIR
import PrunecTensors

/// QLinearAveragePool (of onnxruntime's own operators, version 1): the means of windows, as AveragePool takes them, of quantised images, quantised. Shapes
/// as `QuantizedPooling` says.
///
/// Channels: each is pooled by itself.
struct QLinearAveragePool: Operator {
  let signature = Signature(
    "QLinearAveragePool", domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...5,
    attributes: Pooling.attributes.merging(["channels_last": .int(0), "count_include_pad": .int(0)])
    { $1 })

  private static let pooling = AveragePool()

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
