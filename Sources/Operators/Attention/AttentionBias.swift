import PrunecGraphIR
import PrunecTensors

/// What ONNX's Attention adds to the scores of a query: its mask, and minus infinity for what comes
/// later, lies too far away or is padding.
struct AttentionBias {
  private let heads: Int
  private let queries: Int
  private let keys: Int
  private let mask: Tensor?
  private let maskElements: [Float]
  private let maskOffsets: [Int]
  private let isCausal: Bool
  private let window: (left: Int, right: Int)
  /// For each batch item the number of keys that come before the first query.
  private let offsets: [Int]
  private let lengths: [Int]?

  /// The bias of scores of `shape`, `[N, H, S, T]`. `past` is the number of keys from before,
  /// `lengths` that of keys that are no padding, for each batch item.
  init(
    _ call: Invocation, _ shape: [Int], mask: Tensor?, past: Int?, lengths: [Int]?
  ) throws(CompileError) {
    let batch = shape[0]
    (heads, queries, keys) = (shape[1], shape[2], shape[3])
    isCausal = call.int("is_causal") != 0
    window = (try call.requiredInt("left_window_size"), try call.requiredInt("right_window_size"))
    if let lengths, lengths.count != batch {
      throw call.malformed("nonpad_kv_seqlen has \(lengths.count) elements for \(batch) items")
    }
    self.lengths = lengths
    let queries = queries
    offsets = lengths?.map { $0 &- queries } ?? [Int](repeating: past ?? 0, count: batch)
    self.mask = mask
    guard let mask else {
      (maskElements, maskOffsets) = ([], [])
      return
    }
    // Shorter masks say nothing of the last keys, which are then taken out.
    let length = mask.shape.last ?? 1
    var target = shape
    if length > 1 || call.opset >= 24, mask.rank > 0 { target[3] = min(length, keys) }
    guard mask.rank <= 4,
      zip(mask.shape.reversed(), target.reversed()).allSatisfy({ $0 == 1 || $0 == $1 })
    else { throw call.malformed("a mask of shape \(mask.shape) does not fit \(shape)") }
    maskElements =
      mask.elementType == .bool ? mask.integers.map { $0 != 0 ? 0 : -.infinity } : mask.floats
    maskOffsets = Broadcasting.offsets(of: mask.shape, in: target)
  }

  /// What is added to the scores of one query.
  func row(_ item: Int, _ head: Int, _ query: Int) -> [Float] {
    var row = [Float](repeating: 0, count: keys)
    if mask != nil {
      let length = heads * queries == 0 ? 0 : maskOffsets.count / (offsets.count * heads * queries)
      let start = ((item * heads + head) * queries + query) * length
      for key in 0..<keys {
        row[key] = key < length ? maskElements[maskOffsets[start + key]] : -.infinity
      }
    }
    let position = query &+ offsets[item]
    for key in 0..<keys {
      let distance = key &- position
      if isCausal && distance > 0 || window.left >= 0 && -distance > window.left
        || window.right >= 0 && distance > window.right || key >= lengths?[item] ?? .max
      {
        row[key] = -.infinity
      }
    }
    return row
  }
}
