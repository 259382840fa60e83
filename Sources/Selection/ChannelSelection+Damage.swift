import Foundation
import PrunecCoupling

/// Budgets that are met where it does least damage to the outputs.
extension ChannelSelection {
  /// Steps of a group that are looked at together: what one step alone does not show.
  private static let lookahead = [1, 2, 4]

  /// The counts whose cost is at most `limit`, or the least there are: step by step the group is cut whose damage to the
  /// power of `exponent` grows least for what is saved, and what is left of the limit in the end is given back.
  func leastDamaging(_ quantity: CutCost.Quantity, _ limit: Int) -> [Int] {
    let curves = coupling.groups.map { damage?[$0] }
    func harm(_ group: Int, _ kept: Int) -> Double { self.harm(ofGroup: group, keeping: kept) }
    var kept = mostCounts
    var total = cost.total(quantity, keeping: kept)
    /// The count that `steps` fewer multiples leave, as far as the guards and the measurements go.
    func fewer(_ group: Int, steps: Int) -> Int? {
      guard fixed[group] == nil else { return nil }
      let least = max(floors[group], curves[group]?.fewest ?? coupling.groups[group].count)
      let multiple = multiples[group]
      let below = (kept[group] - 1) / multiple * multiple - (steps - 1) * multiple
      let count = settled(max(below, aligned(least, group)), group)
      return count >= max(least, 1) && count < kept[group] ? count : nil
    }
    while total > limit {
      var best: (group: Int, count: Int, saving: Int, price: Double)?
      for group in kept.indices {
        for steps in Self.lookahead {
          guard let count = fewer(group, steps: steps) else { continue }
          let saving = cost.saving(quantity, byKeeping: count, ofGroup: group, from: kept)
          guard saving > 0 else { continue }
          // More than is still missing is worth no more.
          let price =
            (harm(group, count) - harm(group, kept[group])) / Double(min(saving, total - limit))
          if price < best?.price ?? .infinity { best = (group, count, saving, price) }
        }
      }
      guard let best else { break }
      kept[best.group] = best.count
      total -= best.saving
    }
    return givenBack(kept, quantity, total: total, limit: limit, harm)
  }

  /// The damage of a group that keeps some number of channels, to the power of `exponent`; infinite for numbers below those that were
  /// tried.
  func harm(ofGroup group: Int, keeping kept: Int) -> Double {
    guard let curve = damage?[coupling.groups[group]] else { return 0 }
    return pow(curve.divergence(keeping: kept), exponent)
  }

  /// Gives steps back where they mend most for what they cost, as far as the limit allows.
  private func givenBack(
    _ counts: [Int], _ quantity: CutCost.Quantity, total: Int, limit: Int,
    _ harm: (Int, Int) -> Double
  ) -> [Int] {
    var (kept, total) = (counts, total)
    while true {
      var best: (group: Int, count: Int, cost: Int, worth: Double)?
      for group in kept.indices
      where fixed[group] == nil && kept[group] < coupling.groups[group].count {
        let count = settled(
          min(coupling.groups[group].count, kept[group] + multiples[group]), group)
        let more = -cost.saving(quantity, byKeeping: count, ofGroup: group, from: kept)
        guard total + more <= limit else { continue }
        let worth = (harm(group, kept[group]) - harm(group, count)) / Double(max(1, more))
        if worth > best?.worth ?? 0 { best = (group, count, more, worth) }
      }
      guard let best else { return kept }
      kept[best.group] = best.count
      total += best.cost
    }
  }
}
