import PrunecGraphIR
import PrunecTensors

/// RotaryEmbedding (ONNX opset 23 to 28): turns pairs of dimensions of every head by an angle for
/// each position: `(a, b)` becomes `(a cos - b sin, a sin + b cos)`.
///
/// `X`, `Y [N, H, S, E]`, or `[N, S, H E]` with `num_heads`. Of the first `rotary_embedding_dim`
/// dimensions R (all, where it is 0), pair i are i and `i + R/2`, or with `interleaved` `2 i` and
/// `2 i + 1`. Pair i is turned by column i of `cos_cache` and `sin_cache`: `[P, R/2]`, of which
/// `position_ids [N, S]` picks rows, or `[N, S, R/2]`.
///
/// Channels: a pair goes as a whole, with its columns; what is not turned goes alone, and a head
/// with all of its dimensions. `rotary_embedding_dim` and `num_heads` follow.
struct RotaryEmbedding: Operator {
  let signature = Signature(
    "RotaryEmbedding", opsets: 23...28, operands: 3...4,
    attributes: ["interleaved": .int(0), "num_heads": nil, "rotary_embedding_dim": .int(0)])

  private let rotation = Rotation(x: 0, cosine: 1, sine: 2, positions: 3)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try rotation.inferFacts(call)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    rotation.relate(call, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    try rotation.adapt(call, to: cut)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return [try rotation.evaluate(resolved, operands)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
