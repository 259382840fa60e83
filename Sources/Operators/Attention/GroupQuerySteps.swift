import PrunecGraphIR
import PrunecTensors

/// Where the steps of a GroupQueryAttention are: each batch item has its own number of them.
struct GroupQuerySteps {
  private let queries: Int
  /// All steps, and those before the queries, of each batch item.
  private let totals: [Int]
  private let pasts: [Int]
  /// All steps of the longest item.
  private let total: Int
  /// The extent of what keys and values are kept in.
  private let room: Int
  /// Whether nothing comes before the queries.
  private let isPrompt: Bool

  init(
    _ call: Invocation, batch: Int, queries: Int, lengths: Tensor, total: Tensor, room: Int
  ) throws(CompileError) {
    guard total.count == 1, let all = total.integers.first, all > 0, all < 1 << 25,
      lengths.count == batch
    else { throw call.malformed("the numbers of steps do not go together") }
    let isPrompt = queries == all
    totals = lengths.integers.map { $0 &+ 1 }
    pasts = totals.map { isPrompt ? 0 : $0 &- queries }
    (self.queries, self.total, self.room, self.isPrompt) = (queries, all, max(all, room), isPrompt)
    guard zip(totals, pasts).allSatisfy({ (1...all).contains($0) && (0...room).contains($1) })
    else { throw call.unsupported("lengths that do not fit the steps are not evaluated") }
  }

  /// The position of each query of each batch item.
  func rows(_ call: Invocation, given: Tensor?) throws(CompileError) -> [Int] {
    guard let given else { return pasts.flatMap { past in (0..<queries).map { past + $0 } } }
    let elements = given.integers
    guard elements.count == pasts.count * queries, !elements.isEmpty else {
      throw call.malformed("there are \(elements.count) positions")
    }
    // onnxruntime counts from the first of all.
    guard isPrompt else { return elements }
    return pasts.flatMap { _ in (0..<queries).map { elements[0] &+ $0 } }
  }

  /// What is kept of `fresh [N, G, S, E]` and `past [N, G, P, E]`: `[N, G, max(P, T), E]`, zeros
  /// where there is nothing.
  func appended(
    _ fresh: Tensor, to past: Tensor?, _ call: Invocation
  ) throws(CompileError) -> Tensor {
    let (batch, groups, width) = (fresh.shape[0], fresh.shape[1], fresh.shape[3])
    let stored = past?.shape[2] ?? 0
    guard past?.shape ?? [batch, groups, stored, width] == [batch, groups, stored, width],
      stored <= room
    else { throw call.malformed("the past does not fit") }
    let (new, old) = (fresh.floats, past?.floats ?? [])
    guard let count = [batch, groups, room, width].checkedElementCount, count < 1 << 28 else {
      throw call.unsupported("what is kept of all steps is too large to compute")
    }
    var kept = [Float](repeating: 0, count: count)
    for row in 0..<(batch * groups) {
      let before = pasts[row / groups] * width
      let (start, count) = (row * room * width, queries * width)
      for index in 0..<before { kept[start + index] = old[row * stored * width + index] }
      for index in 0..<count { kept[start + before + index] = new[row * count + index] }
    }
    return Tensor(rounding: kept, to: fresh.elementType, shape: [batch, groups, room, width])
  }

  /// What is added to scores of `shape`, `[N, H, S, max(P, T)]`.
  func bias(
    _ call: Invocation, _ shape: [Int], addend: Tensor?
  ) throws(CompileError) -> (_ item: Int, _ head: Int, _ query: Int) -> [Float] {
    let window = try call.requiredInt("local_window_size")
    guard window == -1 || window > 0 else {
      throw call.unsupported("a window of \(window) is not evaluated")
    }
    let isCausal = call.int("causal") != 0
    let scores = Array(shape[..<3]) + [total]
    if let addend {
      guard addend.rank <= 4,
        zip(addend.shape.reversed(), scores.reversed()).allSatisfy({ $0 == 1 || $0 == $1 })
      else { throw call.malformed("a bias of shape \(addend.shape) does not fit \(scores)") }
    }
    let addends = addend?.floats ?? []
    let offsets = addend.map { Broadcasting.offsets(of: $0.shape, in: scores) } ?? []
    return { [self] item, head, query in
      let place = pasts[item] + query
      let row = ((item * scores[1] + head) * queries + query) * total
      return (0..<room).map { key in
        guard key < totals[item], !isCausal || key <= place,
          window < 0 || key > place - window
        else { return -.infinity }
        return offsets.isEmpty ? 0 : addends[offsets[row + key]]
      }
    }
  }
}
