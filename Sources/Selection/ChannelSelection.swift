import Foundation
import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Chooses the channels to remove: the least important ones that meet a budget, within the guards.
package struct ChannelSelection {
  private let graph: Graph
  let coupling: CouplingAnalysis
  var cost: CutCost
  /// Effect of cutting single groups on the outputs, for `Scope.individual`.
  let damage: DamageTable?
  /// Power of the damage that is added up.
  let exponent: Double
  private let guards: Guards
  /// The model that budgets and guards are about: the graph before any cut.
  package let uncut: UncutModel
  /// For each group its channels from the least important to the most.
  private(set) var order: [[Int]] = []
  private(set) var scores: [[Float]] = []
  /// For each group the fewest channels a budget may leave.
  private(set) var floors: [Int] = []
  /// For each group the number it keeps whatever the budget, where the user gave one.
  var fixed: [Int?] = []
  private(set) var multiples: [Int] = []
  /// Groups on axes that are normalised over.
  private let normalized: Set<Int>
  /// The residual streams of a model with attention. Every block reads and writes them, and they bear
  /// cutting least: a vision transformer kept to 60 % of its parameters has a top-1 accuracy of 64 % where
  /// its stream is cut like everything else, and of 81 % where it stays (without any training after).
  private(set) var streams: [Int] = []

  /// Costs are counted for inputs of `shapes`, `nil` for those that are found for the graph itself. `uncut` is the model before
  /// cuts that have been made already. Throws a usage
  /// error for a pattern that matches nothing.
  package init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, _ scores: ChannelScores,
    guards: Guards, damage: DamageTable? = nil, exponent: Double = 1, shapes: InputShapes? = nil,
    uncut: UncutModel? = nil
  ) throws(CompileError) {
    self.graph = graph
    self.damage = damage
    self.exponent = exponent
    self.coupling = coupling
    self.guards = guards
    cost = CutCost(graph, facts, coupling, shapes)
    self.uncut = uncut ?? UncutModel(coupling, cost)
    normalized = Self.normalizedGroups(graph, facts, coupling)
    let firstLayers = Self.axesMadeFromInputs(graph, facts)
    for (index, group) in coupling.groups.enumerated() {
      let values = scores.scores(of: group) ?? [Float](repeating: 1, count: group.count)
      self.scores.append(values)
      order.append(
        (0..<group.count).sorted { (values[$0], $0) < (values[$1], $1) })
      multiples.append(guards.alignment.multiple(forCount: self.uncut.count(of: group)))
      let isFirst = group.members.contains { firstLayers.contains($0.axis) }
      floors.append(floor(of: group, multiples[index], isFirst: isFirst))
      let isFree = group.pin == nil && (group.meaning == nil || guards.only.contains(group.kind))
      fixed.append(isFree ? nil : group.count)
    }
    try applyNames()
    let kinds = coupling.groups.map(\.kind)
    if kinds.contains(.head) || kinds.contains(.headDimension) {
      streams = kinds.indices.filter { kinds[$0] == .residual && fixed[$0] == nil }
    }
  }

  /// Axes of results of layers that read a graph input, as it is or after nodes that keep the number of
  /// its axes and elements (quantisation, transposition, scaling).
  private static func axesMadeFromInputs(_ graph: Graph, _ facts: GraphFacts) -> Set<Axis> {
    var inputs = Set(graph.inputs)
    func size(_ value: ValueID) -> [Int]? {
      guard let shape = facts[value].shape else { return nil }
      return shape.map { $0.fixedExtent ?? 1 }.checkedElementCount.map { [shape.count, $0] }
    }
    for id in graph.nodes {
      let computed = graph[id].inputs.compactMap { $0 }.filter { !facts.isFixed($0) }
      guard computed.count == 1, inputs.contains(computed[0]), let known = size(computed[0]),
        LinearLayer.layers(of: id, graph, facts).isEmpty
      else { continue }
      inputs.formUnion(graph[id].outputs.compactMap { $0 }.filter { size($0) == known })
    }
    return Set(
      LinearLayer.all(in: graph, facts).filter { inputs.contains($0.data) }
        .map { Axis($0.result, $0.resultAxis) })
  }

  private static func normalizedGroups(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis
  ) -> Set<Int> {
    var groups: Set<Int> = []
    for id in graph.nodes {
      for case .gathering(let reference, .moments, _) in facts.relations(of: id) {
        guard case .operand(let operand) = reference.slot, let value = graph[id].inputs[operand]
        else { continue }
        let axis = Axis(value, reference.axis)
        for index in 0..<(coupling.extent(of: axis) ?? 0) {
          if let channel = coupling.channel(of: axis, index: index) { groups.insert(channel.group) }
        }
      }
    }
    return groups
  }

  private func floor(of group: ChannelGroup, _ multiple: Int, isFirst: Bool) -> Int {
    // What the first layer does not see, nothing after it can.
    let maxRatio = isFirst ? min(guards.maxRatio, 0.5) : guards.maxRatio
    let count = uncut.count(of: group)
    let share = Int((Double(count) * (1 - maxRatio)).rounded(.up))
    let least = max(1, share, min(guards.minChannels, (count + 1) / 2))
    return min(group.count, (least + multiple - 1) / multiple * multiple)
  }

  private mutating func applyNames() throws(CompileError) {
    for (pattern, ratio) in guards.ratios {
      for index in try groups(matching: pattern) { fixed[index] = kept(index, ratio: ratio) }
    }
    for pattern in guards.keep {
      for index in try groups(matching: pattern) { fixed[index] = coupling.groups[index].count }
    }
    guard !guards.only.isEmpty else { return }
    var chosen: Set<Int> = []
    for kind in guards.only { chosen.formUnion(try groups(matching: kind.rawValue)) }
    for index in coupling.groups.indices where !chosen.contains(index) {
      fixed[index] = coupling.groups[index].count
    }
  }

  /// The groups that are not pinned of a kind, or with a name that a glob matches. Throws a usage error
  /// where the pattern matches nothing at all.
  private func groups(matching pattern: String) throws(CompileError) -> [Int] {
    let kind = GroupKind(rawValue: pattern)
    let glob = Glob(pattern)
    let matched = coupling.groups.indices.filter { index in
      let group = coupling.groups[index]
      return kind.map { $0 == group.kind } ?? names(of: group).contains(where: glob.matches)
    }
    let free = matched.filter { coupling.groups[$0].pin == nil }
    if kind != nil, free.isEmpty {
      let kinds = GroupKind.allCases.filter { kind in
        coupling.groups.contains { $0.pin == nil && $0.kind == kind }
      }
      let names = kinds.map { "'\($0.rawValue)'" }.joined(separator: ", ")
      throw CompileError(
        .usage, "no group of kind '\(pattern)' can be cut",
        notes: [names.isEmpty ? "there is nothing that can be cut" : "there are groups of \(names)"]
      )
    }
    guard !matched.isEmpty else {
      throw CompileError(.usage, "no group of channels matches '\(pattern)'")
    }
    return free
  }

  /// The names by which a user may mean a group: its own, its members', those of the nodes that make
  /// them, and those of what they stand for.
  private func names(of group: ChannelGroup) -> Set<String> {
    group.members.reduce(into: [group.name]) { $0.formUnion(names(of: $1.axis)) }
  }

  private func names(of axis: Axis) -> [String] {
    guard let value = graph.value(axis.value) else { return [] }
    var names = [value.name] + value.axisOrigins[axis.index, default: []].map(\.name)
    var origins = value.origins
    if let id = value.definingNode, let node = graph.node(id) {
      names.append(node.name)
      origins = node.origins
    }
    return names + origins.flatMap { [$0.name] + $0.results }
  }

  // MARK: Counts

  /// The number of channels that group `index` keeps when `ratio` of them go, aligned.
  private func kept(_ index: Int, ratio: Double) -> Int {
    let count = coupling.groups[index].count
    return aligned(Int((Double(count) * (1 - ratio)).rounded()), index)
  }

  /// `kept` at the nearest multiple that the group is aligned to, at least one.
  func aligned(_ kept: Int, _ index: Int) -> Int {
    let multiple = multiples[index]
    let count = coupling.groups[index].count
    if kept >= count { return count }
    let nearest = (kept + multiple / 2) / multiple * multiple
    return min(count, max(nearest, min(multiple, count), 1))
  }

  /// `kept`, or all where a single channel would go of an axis that is normalised over: a mask cannot
  /// preserve its moments by one element.
  func settled(_ kept: Int, _ index: Int) -> Int {
    let count = coupling.groups[index].count
    return normalized.contains(index) && count - kept == 1 ? count : kept
  }

  func counts(ratio: Double) -> [Int] {
    coupling.groups.indices.map { index in
      settled(fixed[index] ?? max(floors[index], kept(index, ratio: ratio)), index)
    }
  }

  /// The counts left when group i loses `lost[i]` channels.
  private func counts(losing lost: [Int]) -> [Int] {
    coupling.groups.indices.map { index in
      if let count = fixed[index] { return settled(count, index) }
      let left = coupling.groups[index].count - lost[index]
      return settled(max(floors[index], aligned(left, index)), index)
    }
  }

  // MARK: Budgets

  /// For each group the channels to remove. Throws a failed check that says how far it can go, where
  /// the budget cannot be met.
  package func removed(
    budget: Budget, scope: Scope
  ) throws(CompileError) -> [Int: Set<Int>] {
    let kept: [Int]
    switch budget {
    case .ratio(let ratio):
      kept = coupling.groups.indices.map {
        settled(fixed[$0] ?? self.kept($0, ratio: ratio), $0)
      }
    case .macs(let fraction):
      kept = try sparingStreams(fraction, .macs, scope)
    case .parameters(let fraction):
      kept = try sparingStreams(fraction, .parameters, scope)
    case .memory, .latency: preconditionFailure("what is measured is no function of the graph")
    }
    return removed(keeping: kept)
  }

  /// The least important channels of each group, all but `kept` of them.
  package func removed(keeping kept: [Int]) -> [Int: Set<Int>] {
    var removed: [Int: Set<Int>] = [:]
    for (index, group) in coupling.groups.enumerated() where kept[index] < group.count {
      removed[index] = Set(order[index].prefix(group.count - kept[index]))
    }
    return removed
  }

  /// The selection that leaves residual streams whole, if that leaves anything to cut.
  var sparing: ChannelSelection? {
    guard !streams.isEmpty, streams.count < fixed.count(where: { $0 == nil }) else { return nil }
    var sparing = self
    for index in streams { sparing.fixed[index] = coupling.groups[index].count }
    return sparing
  }

  /// Counts that leave residual streams whole, where the budget can be met so.
  private func sparingStreams(
    _ fraction: Double, _ quantity: CutCost.Quantity, _ scope: Scope
  ) throws(CompileError) -> [Int] {
    if scope != .individual, let sparing, let kept = try? sparing.counts(fraction, quantity, scope)
    {
      return kept
    }
    return try counts(fraction, quantity, scope)
  }

  /// The largest counts whose cost is at most `fraction` of the whole.
  private func counts(
    _ fraction: Double, _ quantity: CutCost.Quantity, _ scope: Scope
  ) throws(CompileError) -> [Int] {
    let unit = quantity == .macs ? "MACs" : "parameters"
    func cost(_ kept: [Int]) -> Int { self.cost.total(quantity, keeping: kept) }
    let whole = uncut.total(quantity)
    guard whole > 0 else {
      throw CompileError(.checkFailed, "the model has no \(unit) that could be counted")
    }
    let limit = Int(fraction * Double(whole))
    func unreachable(_ counts: [Int]) -> CompileError {
      let least = cost(counts)
      // As many digits as tell the two apart.
      let share = Double(least) / Double(whole)
      let digits = (1...6).first { Self.percent(fraction, $0) != Self.percent(share, $0) } ?? 6
      return CompileError(
        .checkFailed,
        "\(unit) cannot be brought to \(Self.percent(fraction, digits)): "
          + "\(Self.percent(share, digits)) is as far as it goes",
        notes: [guardsText, holdersText(quantity, counts)])
    }
    let kept = counts(within: limit, quantity, scope)
    guard cost(kept) <= limit else { throw unreachable(kept) }
    return kept
  }

  /// The groups that hold most of what is left where they keep `kept` channels, with the reason.
  private func holdersText(_ quantity: CutCost.Quantity, _ kept: [Int]) -> String {
    let whole = Double(uncut.total(quantity))
    let held = coupling.groups.indices.map { index in
      (
        index: index,
        share: Double(cost.saving(quantity, byKeeping: 0, ofGroup: index, from: kept)) / whole
      )
    }.filter { $0.share >= 0.01 }.sorted { ($1.share, $0.index) < ($0.share, $1.index) }
    guard !held.isEmpty else { return "what may not be cut, and why, inspect says" }
    let texts = held.prefix(3).map { index, share in
      let group = coupling.groups[index]
      let reason =
        (group.pin ?? group.meaning)?.description
        ?? "keeps \(kept[index]) of \(group.count) channels"
      return "\(group.name) (\(Self.percent(share)): \(reason))"
    }
    return "most of the rest depends on \(texts.joined(separator: ", "))"
  }

  /// The largest counts whose cost is at most `limit`; as few as there may be where that is out of reach.
  func counts(within limit: Int, _ quantity: CutCost.Quantity, _ scope: Scope) -> [Int] {
    func isMet(_ kept: [Int]) -> Bool { cost.total(quantity, keeping: kept) <= limit }
    if scope == .individual { return leastDamaging(quantity, limit) }
    let candidates = self.candidates(scope)
    guard isMet(candidates(1)) else { return candidates(1) }
    var (low, high) = (0.0, 1.0)
    if isMet(candidates(0)) { return candidates(0) }
    for _ in 0..<24 {
      let middle = (low + high) / 2
      if isMet(candidates(middle)) { high = middle } else { low = middle }
    }
    return scope == .global ? refined(candidates(high), quantity, limit) : candidates(high)
  }

  /// Gives channels back, the most important of the removed ones first, as far as the limit allows:
  /// where counts are aligned the search takes coarse steps.
  private func refined(_ counts: [Int], _ quantity: CutCost.Quantity, _ limit: Int) -> [Int] {
    var kept = counts
    var total = cost.total(quantity, keeping: kept)
    var open = kept.indices.filter { fixed[$0] == nil && kept[$0] < coupling.groups[$0].count }
    func nextScore(_ index: Int) -> Float {
      scores[index][order[index][coupling.groups[index].count - kept[index] - 1]]
    }
    while let index = open.max(by: { (nextScore($0), $1) < (nextScore($1), $0) }) {
      let count = coupling.groups[index].count
      let more = settled(min(count, kept[index] + multiples[index]), index)
      let next = total &- cost.saving(quantity, byKeeping: more, ofGroup: index, from: kept)
      if next <= limit { (kept[index], total) = (more, next) }
      if kept[index] != more || more == count { open.removeAll { $0 == index } }
    }
    return kept
  }

  /// Counts for every strength from 0 (nothing goes) to 1 (all that may go does), decreasing.
  func candidates(_ scope: Scope) -> (Double) -> [Int] {
    switch scope {
    case .uniform: return { counts(ratio: $0) }
    case .global, .individual:
      let ranking = ranking
      return { strength in
        var lost = [Int](repeating: 0, count: coupling.groups.count)
        for group in ranking.prefix(Int(strength * Double(ranking.count))) { lost[group] += 1 }
        return counts(losing: lost)
      }
    }
  }

  /// The groups that lose a channel, one after the other, when the least important channels of all go
  /// first. Among equal scores every group loses the same share: weights may well be all alike.
  private var ranking: [Int] {
    var channels: [(score: Float, share: Double, group: Int)] = []
    for (index, group) in coupling.groups.enumerated() where fixed[index] == nil {
      for (position, channel) in order[index].enumerated() {
        let share = Double(position) / Double(group.count)
        channels.append((scores[index][channel], share, index))
      }
    }
    return channels.sorted { ($0.score, $0.share, $0.group) < ($1.score, $1.share, $1.group) }
      .map(\.group)
  }

  /// What keeps a budget from going further.
  package var guardsText: String {
    "guards: max-ratio \(guards.maxRatio), min-channels \(guards.minChannels), alignment, "
      + "half of the first layer, and what is pinned or kept"
  }

  /// A fraction as it is printed, in percent with so many decimal digits.
  package static func percent(_ fraction: Double, _ digits: Int = 1) -> String {
    String(format: "%.\(digits)f %%", fraction * 100)
  }
}
