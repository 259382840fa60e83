import PrunecCoupling
import PrunecGraphIR
import PrunecSelection

/// Effect of cutting single groups on the outputs, measured before on one or more parts of the samples.
package struct StoredDamage: Sendable {
  /// One group's measurements.
  package struct Group: Sendable {
    /// Its place among the groups of the model.
    package let index: Int
    package let name: String
    package let count: Int
    /// Numbers of channels kept, decreasing, without all of them.
    package var kept: [Int]
    /// For each of them the sum over the samples of the divergence.
    package var sums: [Double]

    package init(index: Int, name: String, count: Int, kept: [Int], sums: [Double]) {
      (self.index, self.name, self.count) = (index, name, count)
      (self.kept, self.sums) = (kept, sums)
    }
  }

  /// Identity of the sums with which groups were cut (`StoredStatistics.identity`).
  package let statistics: [UInt64]
  /// The criterion by which channels were cut.
  package let criterion: String
  package let effort: Effort
  package let fractions: [Double]
  /// Number of samples that outputs were compared on.
  package private(set) var sampleCount: Int
  package private(set) var groups: [Group]

  package init(
    statistics: [UInt64], criterion: String, effort: Effort, fractions: [Double], sampleCount: Int,
    groups: [Group]
  ) {
    (self.statistics, self.criterion, self.effort) = (statistics, criterion, effort)
    (self.fractions, self.sampleCount, self.groups) = (fractions, sampleCount, groups)
  }

  /// Damage that has been measured of a coupling's groups.
  package init(
    _ table: DamageTable, _ coupling: CouplingAnalysis, statistics: [UInt64], criterion: String,
    effort: Effort
  ) {
    let groups = coupling.groups.indices.compactMap { index -> Group? in
      let group = coupling.groups[index]
      guard let curve = table[group] else { return nil }
      return Group(
        index: index, name: group.name, count: group.count, kept: curve.measured.map(\.kept),
        sums: curve.measured.map { $0.divergence * Double(table.sampleCount) })
    }
    self.init(
      statistics: statistics, criterion: criterion, effort: effort, fractions: table.fractions,
      sampleCount: table.sampleCount, groups: groups)
  }

  /// Difference from another part's measurement, in words; `nil` where the two can be added.
  package func difference(from other: StoredDamage) -> String? {
    if statistics != other.statistics { return "it was measured with other statistics" }
    if criterion != other.criterion { return "criterion is \(criterion), not \(other.criterion)" }
    if effort != other.effort {
      return "effort is \(effort.rawValue), not \(other.effort.rawValue)"
    }
    guard fractions == other.fractions, groups.count == other.groups.count,
      zip(groups, other.groups).allSatisfy({
        $0.index == $1.index && $0.name == $1.name && $0.count == $1.count
      })
    else { return "it is about other groups" }
    return nil
  }

  /// Adds another part's measurement. Widths that one part could not measure are left out.
  package static func += (damage: inout StoredDamage, more: StoredDamage) {
    precondition(damage.difference(from: more) == nil)
    damage.sampleCount += more.sampleCount
    for index in damage.groups.indices {
      let (own, other) = (damage.groups[index], more.groups[index])
      let places = own.kept.indices.prefix {
        $0 < other.kept.count && own.kept[$0] == other.kept[$0]
      }
      damage.groups[index].kept = places.map { own.kept[$0] }
      damage.groups[index].sums = places.map { own.sums[$0] + other.sums[$0] }
    }
  }

  /// The table for the groups of a coupling. Throws a usage error where it has other groups.
  package func table(_ coupling: CouplingAnalysis) throws(CompileError) -> DamageTable {
    var table = DamageTable(fractions: fractions, sampleCount: sampleCount)
    for group in groups {
      guard group.index < coupling.groups.count,
        coupling.groups[group.index].name == group.name,
        coupling.groups[group.index].count == group.count
      else { throw CompileError(.usage, "the stored damage is about other groups of channels") }
      var curve = DamageTable.Curve(count: group.count)
      for (kept, sum) in zip(group.kept, group.sums) {
        curve.add(kept: kept, divergence: sum / Double(max(1, sampleCount)))
      }
      table[coupling.groups[group.index]] = curve
    }
    return table
  }
}
