import Glibc
import PrunecTensors

/// What every attention computes: of each query, the sum of the values weighted by the softmax of
/// the scaled scalar products with their keys.
///
/// `query [N, H, S, E]`, `key [N, G, T, E]`, `value [N, G, T, F]`, result `[N, H, S, F]`; query
/// head h reads head `h / (H / G)` of the keys and values.
struct ScaledDotProduct {
  /// What the weights come from, step by step.
  enum Stage: Int {
    /// The scaled products, those after the soft cap, those with the bias, and the weights
    /// themselves.
    case products, capped, biased, weights
  }

  let query: Tensor
  let key: Tensor
  let value: Tensor
  let scale: Float
  /// The bound that products are bent towards; zero for none.
  var softcap: Float = 0
  /// The type to which scores are rounded before the softmax.
  var precision = ElementType.float32
  /// For each query head a score that takes part in the softmax, and has no value.
  var sinks: [Float]?
  /// Added to the scores of one query, by batch item, head and query: minus infinity takes a key
  /// out.
  let bias: (_ item: Int, _ head: Int, _ query: Int) -> [Float]

  /// The result, and the scores at `stage`, `[N, H, S, T]`, if they are asked for. A query that no
  /// key is left for has weights of zero.
  func evaluate(keeping stage: Stage? = nil) -> (y: Tensor, scores: Tensor?) {
    let (batch, heads, queries, width) = (
      query.shape[0], query.shape[1], query.shape[2], query.shape[3]
    )
    let (groups, keys, valueWidth) = (key.shape[1], key.shape[2], value.shape[3])
    let perGroup = groups > 0 ? heads / groups : 1
    let (q, k, v) = (query.floats, key.floats, value.floats)
    var y = [Float](repeating: 0, count: batch * heads * queries * valueWidth)
    var kept: [Float] = []
    for item in 0..<batch {
      for head in 0..<heads {
        let source = (item * groups + head / perGroup) * keys
        for index in 0..<queries {
          let row = (item * heads + head) * queries + index
          var scores = (0..<keys).map { j in
            var sum: Float = 0
            for e in 0..<width { sum += q[row * width + e] * k[(source + j) * width + e] }
            return sum * scale
          }
          if stage == .products { kept += scores }
          if softcap > 0 { scores = scores.map { softcap * tanhf($0 / softcap) } }
          if stage == .capped { kept += scores }
          let bias = bias(item, head, index)
          for j in 0..<keys { scores[j] += bias[j] }
          if stage == .biased { kept += scores }
          if precision != .float32 {
            scores = Tensor(rounding: scores, to: precision, shape: [keys]).floats
          }
          let isEmpty = bias.allSatisfy { $0 == -.infinity }
          let weights = isEmpty ? scores.map { _ in 0 } : Self.softmax(scores, sink: sinks?[head])
          if stage == .weights { kept += weights }
          for j in 0..<keys {
            for f in 0..<valueWidth {
              y[row * valueWidth + f] += weights[j] * v[(source + j) * valueWidth + f]
            }
          }
        }
      }
    }
    let type = query.elementType
    return (
      Tensor(rounding: y, to: type, shape: [batch, heads, queries, valueWidth]),
      stage.map { _ in Tensor(rounding: kept, to: type, shape: [batch, heads, queries, keys]) }
    )
  }

  private static func softmax(_ scores: [Float], sink: Float?) -> [Float] {
    let greatest = max(scores.max() ?? 0, sink ?? -.infinity)
    let powers = scores.map { expf($0 - greatest) }
    let sum = powers.reduce(sink.map { expf($0 - greatest) } ?? 0, +)
    return powers.map { $0 / sum }
  }
}
