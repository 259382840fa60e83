import Foundation
import PrunecCoupling
import PrunecGraphIR

/// For each group, how far the outputs move when it alone keeps some numbers of its channels.
package struct DamageTable: Sendable {
  /// One group's measurements.
  package struct Curve: Sendable {
    /// Numbers of channels kept, decreasing, and the divergence of the outputs from the original's at each.
    package private(set) var points: [(kept: Int, divergence: Double)] = []

    /// The divergences as they were measured, without that of all channels.
    package private(set) var measured: [(kept: Int, divergence: Double)] = []

    /// `count` channels do no damage.
    package init(count: Int) { points = [(count, 0)] }

    /// Adds a measurement of fewer channels than any before. Fewer channels never do less damage, and outputs that are no
    /// numbers are infinitely far away.
    package mutating func add(kept: Int, divergence: Double) {
      let number = divergence.isNaN ? .infinity : divergence
      measured.append((kept, number))
      points.append((kept, max(number, points.last!.divergence)))
    }

    /// The fewest channels that have been tried.
    package var fewest: Int { points.last!.kept }

    private static let offset = 1e-6

    /// The damage of keeping `kept` channels: between measurements its logarithm is linear.
    package func divergence(keeping kept: Int) -> Double {
      guard let next = points.firstIndex(where: { $0.kept <= kept }) else { return .infinity }
      let (low, high) = (points[next], points[max(0, next - 1)])
      guard high.kept > low.kept, low.kept < kept, low.divergence.isFinite else {
        return low.divergence
      }
      let share = Double(kept - low.kept) / Double(high.kept - low.kept)
      let (a, b) = (log(low.divergence + Self.offset), log(high.divergence + Self.offset))
      return max(0, exp(a + (b - a) * share) - Self.offset)
    }
  }

  /// Fractions of a group's channels at which groups were measured, decreasing.
  package let fractions: [Double]
  /// Number of samples that the outputs were compared on.
  package let sampleCount: Int
  /// By the first axis of a group.
  private var curves: [Axis: Curve] = [:]

  package init(fractions: [Double], sampleCount: Int) {
    (self.fractions, self.sampleCount) = (fractions, sampleCount)
  }

  /// How many of `count` channels a fraction is.
  package static func kept(_ fraction: Double, of count: Int) -> Int {
    max(1, Int((fraction * Double(count)).rounded()))
  }

  /// Number of measurements of all groups.
  package var measurementCount: Int { curves.values.reduce(0) { $0 + $1.points.count - 1 } }

  package subscript(group: ChannelGroup) -> Curve? {
    get { group.members.first.flatMap { curves[$0.axis] } }
    set { if let axis = group.members.first?.axis { curves[axis] = newValue } }
  }
}
