import PrunecGraphIR

/// Budgets of memory.
extension ChannelSelection {
  /// Tells what a runtime needs, in bytes, while each of the nodes runs that it does run, when group i keeps `kept[i]` channels.
  package mutating func correctMemory(by measured: [NodeID: Int], keeping kept: [Int]) {
    cost.correctMemory(by: measured, keeping: kept)
  }

  /// The most bytes that are needed at one time when group i keeps `kept[i]` channels.
  package func peakMemory(keeping kept: [Int]) -> Int { cost.peakMemory(keeping: kept) }

  /// The largest counts for which `peakMemory` is at most `limit` bytes; `nil` where no choice within the guards does.
  package func counts(withinMemory limit: Int, scope: Scope) -> [Int]? {
    if scope != .individual, let kept = sparing?.met(limit, scope) { return kept }
    return met(limit, scope)
  }

  private func met(_ limit: Int, _ scope: Scope) -> [Int]? {
    let kept = counts(within: 0, .memory(above: limit), scope)
    return peakMemory(keeping: kept) <= limit ? kept : nil
  }
}
