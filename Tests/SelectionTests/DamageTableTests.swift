import Foundation
import PrunecSelection
import Testing

@Suite struct DamageTableTests {
  private var curve: DamageTable.Curve {
    var curve = DamageTable.Curve(count: 16)
    curve.add(kept: 12, divergence: 0.01)
    curve.add(kept: 4, divergence: 1)
    return curve
  }

  @Test func allChannelsDoNoDamage() {
    #expect(curve.divergence(keeping: 16) == 0)
    #expect(curve.divergence(keeping: 20) == 0)
  }

  @Test func measurementsAreMet() {
    #expect(abs(curve.divergence(keeping: 12) - 0.01) < 1e-12)
    #expect(abs(curve.divergence(keeping: 4) - 1) < 1e-12)
    #expect(curve.fewest == 4)
  }

  /// Half way between two measurements lies their geometric mean.
  @Test func logarithmsAreLinearBetweenMeasurements() {
    #expect(abs(curve.divergence(keeping: 8) - 0.1) < 1e-3)
  }

  @Test func fewerThanMeasuredIsNotKnown() {
    #expect(curve.divergence(keeping: 3) == .infinity)
  }

  @Test func fewerChannelsNeverDoLessDamage() {
    var curve = curve
    curve.add(kept: 2, divergence: 0.5)
    #expect(curve.points.last?.divergence == 1)
    let values = (0...16).reversed().map { curve.divergence(keeping: $0) }
    #expect(zip(values, values.dropFirst()).allSatisfy { $1 >= $0 - 1e-9 })
  }

  /// A network that gives out no numbers any more.
  @Test(arguments: [Double.infinity, .nan])
  func damageWithoutANumberIsTheGreatest(_ divergence: Double) {
    var curve = curve
    curve.add(kept: 2, divergence: divergence)
    curve.add(kept: 1, divergence: 0.5)
    let values = (0...16).reversed().map { curve.divergence(keeping: $0) }
    #expect(values.allSatisfy { !$0.isNaN })
    #expect(zip(values, values.dropFirst()).allSatisfy { $1 >= $0 - 1e-9 })
    #expect(curve.divergence(keeping: 2) == .infinity)
  }
}
