import PrunecGraphIR
import PrunecPassKit
import PrunecSelection

extension PruneOptions {
  /// Takes statistics that were collected before, for a pruner that gets them as well. Gives what there is to say about what they lack.
  ///
  /// Throws a usage error where damage in them was measured for other options.
  package mutating func take(
    _ statistics: StoredStatistics
  ) throws(CompileError) -> [Diagnostic] {
    stored = StoredParts(statistics: true)
    if let damage = statistics.damage {
      guard damage.criterion == usedCriterion.name else {
        throw CompileError(
          .usage,
          "the damage of --stats was measured by criterion \(damage.criterion), not \(usedCriterion.name)"
        )
      }
      guard effort == nil || effort == damage.effort else {
        throw CompileError(
          .usage,
          "the damage of --stats was measured with effort \(damage.effort.rawValue), not \(effort!.rawValue)"
        )
      }
      stored.damage = true
    }
    guard samples == .none, !stored.damage, scope == nil else { return [] }
    if case .ratio = budget { return [] }
    return [
      Diagnostic(
        .note,
        "--stats holds no damage, and there are no samples to measure it on: importance alone chooses channels"
      )
    ]
  }
}
