import PassKit
import TestSupport
import Testing

/// Budgets of time, where the parts' times are wrong about the whole model's.
@Suite struct LatencyBudgetTests {
  /// A layer of 64 channels whose time is foreseen to be proportional to them.
  private final class Times: MeasuredTimes {
    let groupsOfPart = [[0]]
    let threadCount = 3
    private let measured: (Double) -> Double
    private(set) var measurements = 0

    init(_ measured: @escaping (Double) -> Double) { self.measured = measured }

    func seconds(of parts: [Int], keeping kept: [Int]) -> [Double] {
      parts.map { _ in Double(kept[0]) / 64 }
    }

    func measureWhole() -> Double { measured(1) }

    func measure(keeping kept: [Int]) -> (before: Double, after: Double) {
      measurements += 1
      return (measured(1), measured(Double(kept[0]) / 64))
    }
  }

  @Test func whatTakesTooMuchMemoryToRunIsRefused() throws {
    let model = try CoupledModel(
      """
      main (float[1,8] x) => (float[M,4] y)
      <float[8,64] w = {...}, float[64,4] v = {...}, int64[2] rows = {1073741824, 64}> {
        h = MatMul (x, w)
        g = Expand (h, rows)
        r = Relu (g)
        y = MatMul (r, v)
      }
      """)
    let selection = try ChannelSelection(
      model.graph, model.facts, model.coupling, ChannelScores(criterion: "test"), guards: Guards())
    #expect(throws: CompileError.self) {
      try ModelTimes(
        model.graph, model.facts, model.coupling, selection, original: model.graph, threadCount: 1)
    }
  }

  private func budget(
    _ target: LatencyTarget, _ times: Times
  ) throws -> (kept: Int, report: LatencyReport) {
    let model = try CoupledModel(
      """
      main (float[N,8] x) => (float[N,4] y) <float[8,64] w = {...}, float[64,4] v = {...}> {
        h = MatMul (x, w)
        y = MatMul (h, v)
      }
      """)
    var guards = Guards()
    guards.alignment = .multiple(1)
    let selection = try ChannelSelection(
      model.graph, model.facts, model.coupling, ChannelScores(criterion: "test"), guards: guards)
    let (removed, report) = try LatencyBudget(selection, target, scope: .global, times).removed()
    return (64 - (removed[0]?.count ?? 0), report)
  }

  @Test func whatIsForeseenRightly() throws {
    let times = Times { 0.008 * $0 }
    let (kept, report) = try budget(.fraction(0.75), times)
    #expect(kept == 48)
    #expect((report.beforeMs, report.afterMs, report.targetMs) == (8, 6, 6))
    #expect(report.threads == 3)
    #expect(times.measurements == 1)
    #expect(try budget(.seconds(0.006), times).kept == 48)
  }

  /// Half of the time does not depend on the layer, which the parts do not tell.
  @Test func whatIsForeseenWronglyIsCorrected() throws {
    let times = Times { 0.004 + 0.004 * $0 }
    let (kept, report) = try budget(.fraction(0.8), times)
    #expect(report.afterMs <= 6.4 * 1.01)
    #expect(kept >= 36)
    // Time that falls faster than foreseen is not given away.
    let fast = Times { 0.008 * $0 * $0 }
    #expect(try budget(.fraction(0.5), fast).kept >= 44)
  }

  @Test func nothingHasToGo() throws {
    let times = Times { 0.008 * $0 }
    #expect(try budget(.fraction(1), times).kept == 64)
    #expect(try budget(.seconds(1), times).kept == 64)
  }

  @Test func aTimeOutOfReach() throws {
    // Half of the first layer stays.
    let times = Times { 0.008 * $0 }
    let error = #expect(throws: CompileError.self) { try budget(.seconds(0.002), times) }
    #expect(error?.kind == .checkFailed)
    #expect(
      error?.diagnostics[0].message
        == "the time cannot be brought from 8.000 ms to 2.000 ms: 4.000 ms is as far as it goes")
    #expect(error?.diagnostics[0].notes[0].contains("half of the first layer") == true)
    #expect(throws: CompileError.self) { try budget(.fraction(0.4), times) }
  }
}
