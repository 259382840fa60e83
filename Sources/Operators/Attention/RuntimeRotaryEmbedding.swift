import PrunecGraphIR
import PrunecTensors

/// RotaryEmbedding (onnxruntime's own): as ONNX's, with the operands in another order:
/// `X [N, H, S, E]` or `[N, S, H E]`, `position_ids [N, S]` or the position of the first step,
/// `cos_cache`, `sin_cache [P, R/2]`. Where `rotary_embedding_dim` is 0, heads are as wide as the
/// caches say. Packed batches are not understood.
///
/// Channels: as for ONNX's.
struct RuntimeRotaryEmbedding: Operator {
  let signature = Signature(
    "RotaryEmbedding", domain: Signature.runtimeDomain, opsets: 1...1, operands: 4...4,
    attributes: [
      "interleaved": .int(0), "is_packed_batching": .int(0), "num_heads": .int(0),
      "rotary_embedding_dim": .int(0), "scale": .float(1),
    ])

  private let rotation = Rotation(x: 0, cosine: 2, sine: 3, positions: 1)

  private func isUnderstood(_ call: Invocation) -> Bool {
    call.int("is_packed_batching") == 0 && call.float("scale") == 1
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    guard isUnderstood(call) else { return [ValueFacts(call.operand(0)?.type)] }
    return try rotation.inferFacts(call)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    if isUnderstood(call) { rotation.relate(call, &relations) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    try rotation.adapt(call, to: cut)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    guard isUnderstood(call) else {
      throw call.unsupported("packed or scaled rotations are not evaluated")
    }
    let resolved = try resolve(call, on: operands)
    return [try rotation.evaluate(resolved, operands)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
