import PrunecGraphIR
import PrunecPassKit
import PrunecSelection
import PrunecSemantics
import PrunecTestSupport
import Testing

/// Budgets of time, where the parts' times are wrong about the whole model's.
@Suite struct LatencyBudgetTests {
  /// A layer of 64 channels whose time is foreseen to be proportional to them.
  private final class Times: MeasuredTimes {
    let groupsOfPart = [[0]]
    let device = TimingDevice.runtime(threads: 3)
    let warnings: [Diagnostic] = []
    private let measured: (Double) -> Double
    private let foreseen: (Double) -> Double
    private(set) var measurements = 0
    private(set) var questions = 0

    init(
      foreseen: @escaping (Double) -> Double = { $0 }, _ measured: @escaping (Double) -> Double
    ) {
      (self.foreseen, self.measured) = (foreseen, measured)
    }

    func seconds(of parts: [Int], keeping kept: [Int]) -> [Double] {
      questions += 1
      return parts.map { _ in foreseen(Double(kept[0]) / 64) }
    }

    func save() {}

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
        model.graph, model.facts, model.coupling, selection, original: model.graph,
        shapes: InputShapes(for: model.graph), threadCount: 1)
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
    #expect(report.device == .runtime(threads: 3))
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

  /// The original meets the target by definition: there is nothing to search, and no other time to report.
  @Test func allOfTheTime() throws {
    var calls = 0
    let times = Times { share in
      calls += 1
      return 0.008 * share * (calls % 2 == 0 ? 0.9 : 1)
    }
    for target in [LatencyTarget.fraction(1), .seconds(0.5)] {
      let (kept, report) = try budget(target, times)
      #expect(kept == 64)
      #expect(report.afterMs == report.beforeMs)
      #expect(report.shortfallWarning == nil)
    }
    #expect(times.questions == 0)
    #expect(times.measurements == 0)
  }

  /// Outliers make everything but the least widths seem as slow as the whole, or slower.
  @Test func channelsComeBackWhereTimesAreWrong() throws {
    for foreseen: (Double) -> Double in [
      { $0 > 0.6 ? 100 : $0 }, { $0 == 1 ? 1 : $0 > 0.55 ? 50 : 0.01 }, { $0 == 1 ? 1 : 0 },
      { $0 == 1 ? 1e-9 : $0 },
    ] {
      let (kept, report) = try budget(.fraction(0.9), Times(foreseen: foreseen) { 0.008 * $0 })
      #expect(kept >= 54 && kept <= 58)
      #expect(report.shortfallWarning == nil)
    }
  }

  @Test func whatStaysFarBelowTheTargetIsSaid() throws {
    // One channel less, and half of the time is gone.
    let (kept, report) = try budget(.fraction(0.9), Times { $0 == 1 ? 0.008 : 0.004 * $0 })
    #expect(kept >= 60)
    let warning = report.shortfallWarning
    #expect(warning?.severity == .warning)
    #expect(warning?.message.contains("more has been removed than the time asks for") == true)
  }

  @Test func textsHaveThreeDigits() throws {
    let report = try budget(.fraction(1), Times { 0.008 * $0 }).report
    for (time, text) in [
      (123.44, "123.4 ms"), (10, "10.0 ms"), (9.9996, "10.0 ms"), (1.5, "1.500 ms"),
      (0.9999, "1.000 ms"), (0.5, "500 µs"), (0.0162, "16.2 µs"), (0.001, "1.00 µs"),
      (0.000_08, "0.08 µs"), (0, "0.00 µs"),
    ] {
      #expect(report.text(time) == text)
    }
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
