import PrunecCoupling
import PrunecGraphIR

/// Size of a model before any of its channels went: fractions of MACs and parameters, guards and alignments are about that, in every
/// step where a model is cut in several. A ratio is of the channels that are there.
package struct UncutModel: Sendable {
  private let macs: Int
  private let parameters: Int
  /// By axis of a group, the number of its channels.
  private let counts: [Axis: Int]

  init(_ coupling: CouplingAnalysis, _ cost: CutCost) {
    let whole = coupling.groups.map(\.count)
    macs = cost.total(.macs, keeping: whole)
    parameters = cost.total(.parameters, keeping: whole)
    var counts: [Axis: Int] = [:]
    // An axis that several groups lie on is no one's.
    var shared: Set<Axis> = []
    for group in coupling.groups {
      for axis in Set(group.members.map(\.axis)) {
        if counts.updateValue(group.count, forKey: axis) != nil { shared.insert(axis) }
      }
    }
    self.counts = counts.filter { !shared.contains($0.key) }
  }

  func total(_ quantity: CutCost.Quantity) -> Int { quantity == .macs ? macs : parameters }

  /// The number of channels that a group had; those that it has where that is not known.
  func count(of group: ChannelGroup) -> Int {
    group.members.lazy.compactMap { counts[$0.axis] }.first ?? group.count
  }
}
