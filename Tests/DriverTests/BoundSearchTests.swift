import PrunecGraphIR
import Testing

@testable import PrunecDriver

@Suite struct BoundSearchTests {
  /// Searches where a model of a fraction f of 10,000 MACs has the loss `loss(f)`, and can be cut down to `floor`.
  private func search(
    _ limit: Double, floor: Double = 0, reaching: (Double) -> Double = { $0 },
    loss: (Double) -> Double
  ) -> BoundSearch {
    var search = BoundSearch(.divergence(limit), macs: 10_000)
    while let budget = search.next {
      search.add(
        budget < floor
          ? .init(budget: budget, failure: "cannot be brought so far")
          : .init(
            budget: budget, macs: Int(10_000 * reaching(budget)), loss: loss(reaching(budget))))
    }
    return search
  }

  @Test(arguments: [0.03, 0.2, 0.437, 0.8, 0.97])
  func findsTheSmallestToOnePercent(_ fraction: Double) throws {
    let search = search(1 - fraction) { 1 - $0 }
    let best = try search.best()
    #expect(best.budget >= fraction - 1e-3 && best.budget < fraction + 0.011)
    #expect(search.candidates.count <= BoundSearch.candidateLimit)
    #expect(Set(search.candidates.map(\.budget)).count == search.candidates.count)
  }

  @Test func whatCannotBeCutSoFarIsBeyond() throws {
    let best = try search(10, floor: 0.3) { 1 - $0 }.best()
    #expect(best.budget >= 0.3 && best.budget < 0.311)
  }

  @Test func aCutThatReachesFurtherThanAskedForCounts() throws {
    let search = search(0.6, reaching: { $0 >= 0.75 ? 0.7 : min($0, 0.4) }, loss: { 1 - $0 })
    #expect(try search.best().macs == 4000)
    // 0.5 has reached 0.4, below which the search goes on.
    #expect(search.candidates.map(\.budget).prefix(2) == [0.5, 0.2])
    let coarse = self.search(0.5, reaching: { $0 >= 0.75 ? 0.7 : min($0, 0.4) }, loss: { 1 - $0 })
    #expect(try coarse.best().macs == 7000)
  }

  /// 100 (0.9105 - 0.9005) is 1 but for rounding.
  @Test func aLossThatIsTheLimitIsWithin() throws {
    let search = search(1) { 100 * (0.9105 - ($0 < 0.5 ? 0.8 : 0.9005)) }
    #expect(abs(try search.best().budget - 0.5) < 0.011)
  }

  @Test func withoutAnyWithinTheBestIsNamed() {
    let search = search(0.001) { 2 - $0 }
    let error = #expect(throws: CompileError.self) { try search.best() }
    #expect(error?.kind == .checkFailed)
    #expect(error?.description.contains("99.2 % of the MACs, and has 1.008") == true)
    let none = self.search(1, floor: 1) { $0 }
    #expect(throws: CompileError.self) { try none.best() }
  }

  @Test func anUndefinedLossIsBeyond() {
    #expect(throws: CompileError.self) { try search(1) { _ in .infinity }.best() }
  }

  @Test func lossesAreCountedAsTheScaleSays() {
    #expect(MetricScale.share.loss(from: 0.9, to: 0.8).rounded() == 10)
    #expect(MetricScale.number(isLowerBetter: true).loss(from: 2, to: 3) == 50)
    #expect(MetricScale.number(isLowerBetter: true).loss(from: 2, to: 1) == -50)
    #expect(MetricScale.number(isLowerBetter: false).loss(from: -2, to: -3) == 50)
    #expect(MetricScale.number(isLowerBetter: true).loss(from: 0, to: 0) == 0)
    #expect(MetricScale.number(isLowerBetter: true).loss(from: 0, to: 1) == .infinity)
    #expect(MetricScale.share.loss(from: 0.9, to: .nan) == .infinity)
  }
}
