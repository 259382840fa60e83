import PrunecGraphIR
import PrunecTensors

/// What onnxruntime's attentions add to the scores of a query: a filter value for keys that a mask
/// takes out, an addend, and the least number for what comes later than the query.
struct RuntimeAttentionBias {
  private let shape: [Int]
  private let past: Int
  private let isCausal: Bool
  private let filter: Float
  /// Elements that are positive where a key stays, and whether there is one for each query.
  private let kept: [Int]?
  private let isByQuery: Bool
  /// The keys that stay of each batch item.
  private let ranges: [Range<Int>]?
  private let addends: [Float]
  private let offsets: [Int]

  /// The bias of scores of `shape`, `[N, H, S, T]`. `mask` is `[N, T]`, `[N, S, T]`, or holds ends
  /// `[N]` of what is no padding, or ends and then starts `[2 N]`; `addend` broadcasts to the
  /// scores.
  init(
    _ call: Invocation, _ shape: [Int], mask: Tensor?, addend: Tensor?, past: Int, isCausal: Bool
  ) throws(CompileError) {
    self.shape = shape
    self.past = past
    self.isCausal = isCausal
    filter = call.float("mask_filter_value") ?? -10000
    let (batch, queries, keys) = (shape[0], shape[2], shape[3])
    guard mask?.elementType.isInteger ?? true else {
      throw call.malformed("a mask is of type \(mask!.elementType.name)")
    }
    let elements = mask?.integers
    isByQuery = mask?.rank == 3
    switch mask?.shape {
    case nil: (kept, ranges) = (nil, nil)
    case [batch, keys], [batch, queries, keys]: (kept, ranges) = (elements, nil)
    case [batch], [2 * batch]:
      let ends = elements!
      kept = nil
      ranges = (0..<batch).map { item in
        let end = max(0, min(keys, ends[item]))
        let start = ends.count > batch ? max(0, min(end, ends[batch + item])) : 0
        return start..<end
      }
    default: throw call.unsupported("a mask of shape \(mask!.shape) is not evaluated")
    }
    guard let addend else {
      (addends, offsets) = ([], [])
      return
    }
    guard addend.rank <= 4,
      zip(addend.shape.reversed(), shape.reversed()).allSatisfy({ $0 == 1 || $0 == $1 })
    else { throw call.malformed("a bias of shape \(addend.shape) does not fit \(shape)") }
    addends = addend.floats
    offsets = Broadcasting.offsets(of: addend.shape, in: shape)
  }

  /// What is added to the scores of one query.
  func row(_ item: Int, _ head: Int, _ query: Int) -> [Float] {
    let (queries, keys) = (shape[2], shape[3])
    let maskRow = (isByQuery ? item * queries + query : item) * keys
    let addendRow = ((item * shape[1] + head) * queries + query) * keys
    return (0..<keys).map { key in
      if isCausal, key > past + query { return -.greatestFiniteMagnitude }
      var bias: Float = 0
      if let kept, kept[maskRow + key] <= 0 { bias = filter }
      if let ranges, !ranges[item].contains(key) { bias = filter }
      return offsets.isEmpty ? bias : bias + addends[offsets[addendRow + key]]
    }
  }
}
