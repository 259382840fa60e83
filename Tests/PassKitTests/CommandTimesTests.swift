import Foundation
import PrunecCoupling
import PrunecGraphIR
import PrunecSelection
import PrunecSemantics
import PrunecTestSupport
import Testing

@testable import PrunecPassKit

/// Times that a command prints: here those of a made-up device on which a model takes as long as its file is large.
@Suite struct CommandTimesTests {
  private static let chain = """
    main (float[1,64] x) => (float[1,32] y)
    <float[64,256] w1 = {...}, float[256,256] w2 = {...}, float[256,32] w3 = {...}> {
      h = MatMul (x, w1)
      r = Relu (h)
      g = MatMul (r, w2)
      s = Relu (g)
      y = MatMul (s, w3)
    }
    """

  private struct Setting {
    var times: CommandTimes
    var selection: ChannelSelection
    var model: CoupledModel
  }

  /// Commands are told apart by a word of their own, so that no times are found that an earlier test has left.
  private func setting(_ command: String, on text: String = chain) throws -> Setting {
    let model = try CoupledModel(text)
    let selection = try ChannelSelection(
      model.graph, model.facts, model.coupling, ChannelScores(criterion: "test"), guards: Guards())
    let times = try CommandTimes(
      model.graph, model.facts, model.coupling, selection, original: model.graph,
      shapes: InputShapes(for: model.graph),
      command: TimingCommand(command + " # \(UUID().uuidString)"))
    return Setting(times: times, selection: selection, model: model)
  }

  private func budget(
    _ command: String, _ target: LatencyTarget = .fraction(0.5)
  ) throws -> (kept: [Int], report: LatencyReport, warnings: [Diagnostic]) {
    let setting = try setting(command)
    let (removed, report) = try LatencyBudget(
      setting.selection, target, scope: .global, setting.times
    ).removed()
    let kept = setting.model.coupling.groups.enumerated().map {
      $1.count - (removed[$0]?.count ?? 0)
    }
    return (kept, report, setting.times.warnings)
  }

  @Test(arguments: ["wc -c < {model}", "for model in {models}; do wc -c < $model; done"])
  func aBudgetIsMet(_ command: String) throws {
    let (kept, report, warnings) = try budget(command)
    #expect(report.afterMs <= 1.03 * report.targetMs && report.afterMs >= 0.9 * report.targetMs)
    #expect(kept.contains { $0 < 256 })
    #expect(warnings.isEmpty)
    guard case .command(let named) = report.device else {
      Issue.record("the device is no command")
      return
    }
    #expect(named.text.hasPrefix(command))
  }

  @Test func aFusedPartIsOneModel() throws {
    let model = try CoupledModel(
      """
      main (float[1,8,6,6] x) => (float[1,8,1,1] z) <float[8,8,3,3] w = {...}, float[8] b = {...}> {
        c = Conv <pads = [1, 1, 1, 1]> (x, w, b)
        s = Sigmoid (c)
        m = Mul (c, s)
        a = Add (m, x)
        p = GlobalAveragePool (a)
        z = Relu (p)
      }
      """)
    let parts = ModelParts(model.graph, model.facts)
    let names = parts.nodes.map { $0.map { model.graph[$0].operation.type } }
    #expect(names == [["Conv", "Sigmoid", "Mul", "Add"], ["GlobalAveragePool", "Relu"]])
    let outputs = ModelParts.outputs(of: parts.nodes[0], in: model.graph)
    #expect(outputs.map { model.graph[$0].name } == ["a"])
  }

  /// Two layers of one shape take equally long, whatever their names and weights.
  @Test func equalPartsAreEqual() throws {
    let model = try CoupledModel(
      """
      main (float[1,16] x) => (float[1,16] y)
      <float[16,16] v = {...}, float[16,16] w = {...}, float[16,8] u = {...}, float[8,16] t = {...}> {
        a = MatMul (x, v)
        b = MatMul (a, w)
        c = MatMul (b, u)
        y = MatMul (c, t)
      }
      """)
    let digests = try model.graph.nodes.map {
      try #require(try PartModel([$0], of: model.graph, model.facts)).digest
    }
    #expect(digests[0] == digests[1])
    #expect(Set(digests).count == 3)
  }

  @Test(arguments: [
    ("echo first >&2; echo last >&2; exit 3", "has failed with exit code 3", "it said: last"),
    ("no-such-command", "has failed with exit code 127", "not found"),
    ("kill -9 $$", "has been killed by signal 9", "the command: "),
    ("echo done", "has printed no time", "the command: "),
    ("echo -1", "has printed no time", "the command: "),
  ])
  func failuresAreSaid(_ command: String, _ message: String, _ note: String) throws {
    let error = #expect(throws: CompileError.self) { try budget(command + " # {model}") }
    #expect(error?.kind == .checkFailed)
    #expect(error?.diagnostics[0].message.contains(message) == true)
    #expect(error?.diagnostics[0].notes.contains { $0.contains(note) } == true)
    #expect(error?.diagnostics[0].notes[0].contains("original.onnx") == true)
  }

  @Test func whatTakesTooLongIsKilled() throws {
    let start = ContinuousClock.now
    let error = compileError {
      _ = try TimingCommand("sleep 30 | cat; echo {model}").seconds(
        of: ["m"], in: try TemporaryFolder(), patience: 0.2)
    }
    #expect(error?.diagnostics[0].message.contains("has been killed: it took longer") == true)
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  /// The command fails on all but whole models; a batch of several is tried one by one.
  @Test(arguments: ["{model}", "{models}"])
  func partsThatFailAreEstimated(_ place: String) throws {
    let (_, report, warnings) = try budget(
      "for model in \(place); do case $model in */part*) exit 4;; esac; wc -c < $model; done")
    #expect(report.afterMs <= 1.03 * report.targetMs)
    #expect(warnings.count == 1)
    #expect(
      warnings.first?.message.hasPrefix("3 of 3 parts of the model are not timed but estimated")
        == true)
    #expect(warnings.first?.message.contains("exit code 4") == true)
  }

  /// Estimates agree with what has been measured, and follow the work between.
  @Test func estimatesAreInterpolated() {
    func sample(_ width: Int, _ seconds: Double) -> PartTimeModel.Sample {
      PartTimeModel.Sample(widths: [width], work: [1, Double(width)], seconds: seconds)
    }
    let model = PartTimeModel([sample(64, 7.4), sample(16, 2.6), sample(8, 1.9)])
    #expect(model.seconds(widths: [8], work: [1, 8]) == 1.9)
    // One second and a tenth for each channel, but for an outlier of 5 %.
    #expect(abs(model.seconds(widths: [32], work: [1, 32]) - 4.2) < 0.2)
    let single = PartTimeModel([sample(10, 2)])
    #expect(single.seconds(widths: [5], work: [1, 5]) <= 2)
  }
}
