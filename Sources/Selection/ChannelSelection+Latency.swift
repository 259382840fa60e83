import PrunecCoupling
import PrunecGraphIR

/// Budgets of time.
extension ChannelSelection {
  /// How many channels each group keeps so that the model takes at most `limit` seconds by `times`; `nil` where
  /// no choice within the guards does. To begin with the counts for a limit nearby saves time.
  package func counts(
    within limit: Double, scope: Scope, _ times: any PartTimes, from start: [Int]? = nil
  ) throws(CompileError) -> [Int]? {
    // Measured damage says by itself what residual streams bear.
    if scope != .individual, let kept = try sparing?.search(limit, scope, times, start) {
      return kept
    }
    return try search(limit, scope, times, start)
  }

  /// How many channels each group has.
  package var wholeCounts: [Int] { coupling.groups.map(\.count) }

  /// As far as it goes.
  package var leastCounts: [Int] {
    coupling.groups.indices.map { settled(fixed[$0] ?? least(ofGroup: $0), $0) }
  }

  /// The fewest channels that a budget may leave, which are those that have been tried where damage has been measured.
  private func least(ofGroup group: Int) -> Int {
    max(floors[group], damage?[coupling.groups[group]]?.fewest ?? 0)
  }

  /// As little as possible.
  package var mostCounts: [Int] {
    coupling.groups.indices.map { settled(fixed[$0] ?? coupling.groups[$0].count, $0) }
  }

  /// Counts of which each group's has a share of the way from `kept` to `mostCounts` behind it.
  package func counts(ofTheWayFrom kept: [Int], _ share: (_ group: Int) -> Double) -> [Int] {
    zip(kept, mostCounts).enumerated().map { index, counts in
      let (low, high) = counts
      guard fixed[index] == nil, low < high else { return low }
      let between = low + Int((share(index) * Double(high - low)).rounded(.down))
      return max(low, settled(aligned(between, index), index))
    }
  }

  /// Loss from keeping so many channels, counted as by the search in that scope.
  package func loss(
    keeping kept: [Int], scope: Scope, _ times: any PartTimes
  ) throws(CompileError) -> Double {
    let loss = try losses(scope, times)
    return kept.indices.reduce(0) { $0 + loss($1, kept[$1]) }
  }

  /// The loss of a group that keeps some number of channels: the damage that was measured, or the importance of what goes.
  private func losses(
    _ scope: Scope, _ times: any PartTimes
  ) throws(CompileError) -> (_ group: Int, _ kept: Int) -> Double {
    if scope == .individual { return { harm(ofGroup: $0, keeping: $1) } }
    let seconds = try groupSeconds(times)
    return { seconds[$0] * share(lostByKeeping: $1, of: $0) }
  }

  /// For each group the time that the parts take which depend on it.
  private func groupSeconds(_ times: any PartTimes) throws(CompileError) -> [Double] {
    let whole = try times.seconds(of: Array(times.groupsOfPart.indices), keeping: wholeCounts)
    var seconds = [Double](repeating: 0, count: coupling.groups.count)
    for (part, groups) in times.groupsOfPart.enumerated() {
      for group in groups { seconds[group] += whole[part] }
    }
    return seconds
  }

  private func search(
    _ limit: Double, _ scope: Scope, _ times: any PartTimes, _ start: [Int]?
  ) throws(CompileError) -> [Int]? {
    guard scope != .uniform else { return try uniform(limit, times) }
    let widths = coupling.groups.indices.map(self.widths)
    let loss = try self.losses(scope, times)
    let losses = widths.indices.map { group in widths[group].map { loss(group, $0) } }
    return try WidthSearch(times, candidates: widths, losses: losses)
      .widths(within: limit, from: start)
  }

  private func uniform(
    _ limit: Double, _ times: any PartTimes
  ) throws(CompileError) -> [Int]? {
    let candidates = self.candidates(.uniform)
    func isMet(_ strength: Double) throws(CompileError) -> Bool {
      try times.seconds(keeping: candidates(strength)) <= limit
    }
    guard try isMet(1) else { return nil }
    var (low, high) = (0.0, 1.0)
    if try isMet(0) { return candidates(0) }
    for _ in 0..<10 {
      let middle = (low + high) / 2
      if try isMet(middle) { high = middle } else { low = middle }
    }
    return candidates(high)
  }

  /// No group has more widths to choose from.
  private static let widthLimit = 32

  /// The widths that a group may have, decreasing: all of it, and multiples of what it is aligned to.
  private func widths(of group: Int) -> [Int] {
    let count = coupling.groups[group].count
    if let fixed = fixed[group] { return [settled(fixed, group)] }
    let multiple = multiples[group]
    let coarse = max(1, (count / multiple + Self.widthLimit - 1) / Self.widthLimit) * multiple
    let least = settled(least(ofGroup: group), group)
    var widths = [count]
    for width in stride(from: (count - 1) / coarse * coarse, to: least, by: -coarse) {
      let width = settled(width, group)
      if width < widths.last! { widths.append(width) }
    }
    if least < widths.last! { widths.append(least) }
    return widths
  }

  /// The share of a group's importance that goes.
  ///
  /// It counts by the time of the parts that depend on the group, which makes the channels of a group cost on average what they
  /// save: so those that are least important in their groups go first, as by the other budgets, but for what staircases
  /// and neighbours do to what they save. Were the groups' importance counted alike, narrow groups that take long, such
  /// as the first and the residual streams, would lose most: a ResNet-20 cut to 80 % of its time has a top-1
  /// accuracy of 21 % then, and of 45 % so (without any training after).
  private func share(lostByKeeping kept: Int, of group: Int) -> Double {
    let scores = scores[group].map { max(0, Double($0)) }
    let gone = order[group].prefix(scores.count - kept)
    let total = scores.reduce(0, +)
    guard total > 0 else { return Double(gone.count) / Double(scores.count) }
    return gone.reduce(0) { $0 + scores[$1] } / total
  }
}
