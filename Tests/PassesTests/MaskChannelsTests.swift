import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSemantics
import PrunecTestSupport
import Testing

@Suite struct MaskChannelsTests {
  @Test func goldens() throws { try expectGoldens(of: MaskChannels.self) }

  /// Layers of 16 and 32 channels between an input and an output of 8: when a and b of them stay,
  /// 8 a + a b + 8 b weights do, and as many MACs.
  private let network = """
    main (float[1,8] x) => (float[1,8] y)
    <
      float[8,16] w1 = {...}, float[16,32] w2 = {...}, float[32,8] w3 = {...}
    >
    {
      [fc1] h1 = MatMul (x, w1)
      r1 = Relu (h1)
      [fc2] h2 = MatMul (r1, w2)
      r2 = Relu (h2)
      [fc3] y = MatMul (r2, w3)
    }
    """

  private func mask(_ options: String, on text: String? = nil) throws -> PassRun {
    try PassRun("score-channels,mask-channels{\(options)}", on: text ?? network)
  }

  /// How many channels of both layers stay.
  private func counts(_ options: String) throws -> [Int] {
    let kept = try mask(options).keptByValue
    return [kept["r1"]?.count ?? 16, kept["r2"]?.count ?? 32]
  }

  private func weights(_ counts: [Int]) -> Int {
    8 * counts[0] + counts[0] * counts[1] + 8 * counts[1]
  }

  // MARK: Budgets

  @Test(arguments: [("ratio=0.5", [8, 16]), ("ratio=0.3", [11, 22]), ("ratio=0", [16, 32])])
  func ratio(_ budget: String, _ expected: [Int]) throws {
    #expect(try counts("\(budget) align=1") == expected)
  }

  /// A ratio is what is asked for, whatever a budget would be held to.
  @Test func ratioIsNotGuarded() throws {
    #expect(try counts("ratio=0.9 align=1 min-channels=8 max-ratio=0.5") == [2, 3])
    #expect(try counts("ratio=0.999 align=1") == [1, 1])
  }

  @Test(arguments: ["macs", "params"], ["global", "uniform"])
  func fractionOfTheCost(_ budget: String, _ scope: String) throws {
    for fraction in [0.3, 0.5, 0.8] {
      let counts = try counts("\(budget)=\(fraction) scope=\(scope) align=1 min-channels=1")
      let limit = Int(fraction * 896)
      #expect(weights(counts) <= limit)
      // No more goes than has to: with one or two channels more the budget would be broken.
      let more =
        scope == "uniform" ? [counts[0] + 1, counts[1] + 2] : [counts[0] + 1, counts[1] + 1]
      #expect(weights(more) > limit, "\(budget)=\(fraction) \(scope) leaves \(counts)")
    }
  }

  @Test func parametersAreNotMACs() throws {
    // A convolution's weights count once, its MACs at every position.
    let text = """
      main (float[1,1,8,8] x) => (float[1,8] y)
      <float[16,1,3,3] w = {...}, float[16,16,8,8] u = {...}, float[8,16] v = {...}>
      {
        h1 = Conv <pads = [1, 1, 1, 1]> (x, w)
        h2 = Conv (h1, u)
        f = Flatten (h2)
        y = Gemm <transB = 1> (f, v)
      }
      """
    for (option, measure) in [("macs=0.5", \Cost.macs), ("params=0.5", \Cost.parameters)] {
      let run = try PassRun(
        "score-channels,mask-channels{\(option) align=1},shrink-channels", on: text)
      func cost(_ graph: Graph) throws -> Int {
        Cost(of: graph, try GraphFacts(of: graph))[keyPath: measure]
      }
      let share = Double(try cost(run.graph)) / Double(try cost(run.context.original))
      #expect(share <= 0.5)
      #expect(share > 0.4)
    }
  }

  @Test func halfOfTheMACsByDefault() throws {
    #expect(
      try counts("") == counts("macs=0.5 scope=global align=auto max-ratio=0.9 min-channels=8"))
  }

  // MARK: Scope

  private func scored(_ first: String, _ second: String) -> String {
    """
    main (float[1,1] x) => (float[1,1] y, float[1,1] z)
    <
      float[1,8] w = {\(first)}, float[1,8] u = {\(second)},
      float[8,1] v = {1, 1, 1, 1, 1, 1, 1, 1}, float[8,1] t = {1, 1, 1, 1, 1, 1, 1, 1}
    >
    {
      a = MatMul (x, w)
      y = MatMul (a, v)
      b = MatMul (x, u)
      z = MatMul (b, t)
    }
    """
  }

  /// Relative to their layers' means, the first layer has the four channels that score least.
  @Test func globalTakesTheLeastImportantOfAll() throws {
    let text = scored("1, 9, 1, 9, 1, 9, 1, 9", "5, 6, 5, 6, 5, 6, 5, 6")
    let run = try mask("macs=0.75 align=1 min-channels=1", on: text)
    #expect(try run.keptByValue == ["a": [1, 3, 5, 7]])
  }

  @Test func uniformTakesTheSameFractionOfEach() throws {
    let text = scored("1, 9, 1, 9, 1, 9, 1, 9", "5, 6, 5, 6, 5, 6, 5, 6")
    let run = try mask("macs=0.75 scope=uniform align=1 min-channels=1", on: text)
    #expect(try run.keptByValue == ["a": [1, 3, 4, 5, 6, 7], "b": [1, 3, 4, 5, 6, 7]])
  }

  @Test func tiesGoByIndex() throws {
    let text = scored("1, 1, 1, 1, 1, 1, 1, 1", "2, 2, 2, 2, 2, 2, 2, 2")
    #expect(try mask("ratio=0.5 align=1", on: text).keptByValue["a"] == [4, 5, 6, 7])
  }

  // MARK: Alignment

  @Test(arguments: [
    ("ratio=0.3 align=4", [12, 24]), ("ratio=0.3 align=8", [8, 24]),
    ("ratio=0.3 align=auto", [12, 24]), ("ratio=0.3 align=1", [11, 22]),
    // Nothing but a whole multiple stays, and at least one.
    ("ratio=0.9 align=8", [8, 8]), ("ratio=0.5 align=64", [16, 32]),
  ])
  func alignment(_ options: String, _ expected: [Int]) throws {
    #expect(try counts(options) == expected)
  }

  @Test func automaticAlignmentGoesByWidth() throws {
    func kept(_ width: Int) throws -> Int? {
      let text = """
        main (float[1,4] x) => (float[1,4] y)
        <float[4,\(width)] w = {...}, float[\(width),4] v = {...}>
        {
          h = MatMul (x, w)
          y = MatMul (h, v)
        }
        """
      return try mask("ratio=0.3", on: text).keptByValue["h"]?.count
    }
    #expect(try kept(15) == 11)
    #expect(try kept(16) == 12)
    #expect(try kept(63) == 44)
    #expect(try kept(64) == 48)
  }

  @Test func budgetsHoldWhenAligned() throws {
    let counts = try counts("macs=0.5 align=8")
    #expect(counts.allSatisfy { $0 % 8 == 0 })
    #expect(weights(counts) <= 448)
  }

  // MARK: Guards

  @Test(arguments: [
    // 8 a + a b + 8 b is at its least 192 of 896 for 8 and 8, half of the first and min-channels.
    ("macs=0.22 align=1", [8, 8]),
    // Half of the first layer, whatever else is allowed.
    ("macs=0.09 align=1 min-channels=1 max-ratio=1", [8, 1]),
    // No group below six.
    ("macs=0.18 align=1 min-channels=6", [8, 6]),
    // A quarter of each at most.
    ("macs=0.65 align=1 max-ratio=0.25", [12, 24]),
    // A minimum never asks for more than half.
    ("macs=0.36 align=1 min-channels=20", [8, 16]),
  ])
  func floors(_ options: String, _ expected: [Int]) throws {
    #expect(try counts(options) == expected)
  }

  @Test(arguments: ["macs=0.01", "params=0.01"])
  func aBudgetThatCannotBeMet(_ budget: String) {
    let error = compileError { _ = try counts("\(budget) align=1") }
    #expect(error?.kind == .checkFailed)
    let unit = budget.hasPrefix("macs") ? "MACs" : "parameters"
    #expect(
      error?.diagnostics[0].message
        == "\(unit) cannot be brought to 1.0 %: 21.4 % is as far as it goes")
    #expect(error?.diagnostics[0].notes[0].contains("max-ratio 0.9, min-channels 8") == true)
  }

  @Test(arguments: [
    ("latency=2", "latency=2 is not a fraction above 0 and up to 1, or a time such as 4ms"),
    ("latency=4m", "latency=4m is not a fraction above 0 and up to 1, or a time such as 4ms"),
    (
      "peak-memory=24M",
      "peak-memory=24M is not a fraction above 0 and up to 1, or a size such as 24MiB"
    ),
    (
      "peak-memory=0",
      "peak-memory=0 is not a fraction above 0 and up to 1, or a size such as 24MiB"
    ),
    ("threads=2", "threads is for latency"),
    ("latency=0.5 measure=time", "measure=time is not a command with {model} or {models} in it"),
    ("measure=\"time {model}\"", "measure is for latency"),
    ("latency=0.5 device=phone", "device is for measure"),
    (
      "latency=0.5 threads=2 measure=\"time {model}\"",
      "threads is not for measure: the command decides"
    ),
    ("latency=0.5 macs=0.5", "give one of macs, params, ratio, peak-memory and latency"),
  ])
  func measuredBudgetsAreRead(_ options: String, _ message: String) {
    let error = compileError { _ = try mask(options) }
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics[0].message == "mask-channels: \(message)")
  }

  /// One removed element has no pattern that preserves the moments: none goes, or two.
  @Test func aSingleChannelOfANormalizedAxisStays() throws {
    let text = """
      main (float[1,4] x) => (float[1,4] y)
      <float[4,8] w = {...}, float[8] scale = {1, 1, 1, 1, 1, 1, 1, 1}, float[8,4] v = {...}>
      {
        h = MatMul (x, w)
        n = LayerNormalization (h, scale)
        y = MatMul (n, v)
      }
      """
    #expect(try mask("ratio=0.125 align=1", on: text).keptByValue.isEmpty)
    #expect(try mask("ratio=0.25 align=1", on: text).keptByValue["n"]?.count == 6)
    // One channel would do for the budget; as it cannot go alone, two do.
    #expect(try mask("macs=0.875 align=1", on: text).keptByValue["n"]?.count == 6)
  }

  // MARK: Names

  @Test(arguments: [
    ("ratio=0.5 align=1 keep=fc1", [16, 16]), ("ratio=0.5 align=1 keep=fc*", [16, 32]),
    ("ratio=0.5 align=1 keep=w2", [16, 32]), ("ratio=0.5 align=1 keep=fc1 keep=r2", [16, 32]),
    ("ratio=0.5 align=1 ratio-for=fc2=0.75", [8, 8]),
    ("ratio=0.5 align=1 ratio-for=fc?=0.75 ratio-for=fc1=0.25", [12, 8]),
    ("ratio=0.5 align=1 ratio-for=fc1=0.25 ratio-for=fc?=0.75", [4, 8]),
    ("ratio=0.5 align=1 keep=fc1 ratio-for=fc?=0.75", [16, 8]),
    ("macs=0.7 align=1 keep=\"fc[2]\"", [9, 32]),
    ("macs=0.5 align=1 ratio-for=fc2=0.5", [13, 16]),
  ])
  func names(_ options: String, _ expected: [Int]) throws {
    #expect(try counts(options) == expected)
  }

  @Test(arguments: ["keep=fc9", "ratio-for=fc9=0.5"])
  func aPatternThatMatchesNothing(_ option: String) {
    let error = compileError { _ = try counts("ratio=0.5 \(option)") }
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics[0].message == "no group of channels matches 'fc9'")
  }

  // MARK: Options

  @Test(arguments: [
    ("macs=0.5 ratio=0.5", "give one of macs, params, ratio, peak-memory and latency"),
    ("macs=1.5", "macs=1.5 is not a fraction from 0 to 1"),
    ("ratio=1", "ratio=1 is not a fraction from 0 to below 1"),
    ("macs=nan", "macs=nan is not a fraction"),
    ("align=0", "align=0 is not auto or a whole number from 1 to 1024"),
    ("scope=local", "scope=local is not one of global, uniform"),
    ("min-channels=0", "min-channels=0 is not a whole number"),
    ("ratio-for=fc1", "ratio-for=fc1 is not a pattern, '=' and a fraction from 0 to below 1"),
    ("ratio-for=fc1=2", "ratio-for=fc1=2 is not a pattern"),
    ("keeps=fc1", "there is no option 'keeps'"),
  ])
  func wrongOptions(_ options: String, _ message: String) {
    let error = compileError { _ = try counts(options) }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains(message) == true)
  }

  @Test func scoresComeFirst() {
    let error = compileError { _ = try PassRun("mask-channels", on: network) }
    #expect(error?.kind == .usage)
    #expect(
      error?.diagnostics[0].message
        == "mask-channels must come after score-channels: it removes what scores least")
  }

  /// Masking masks again what is masked already, and never settles.
  @Test func aFixpointThatDoesNotSettle() {
    let error = compileError {
      _ = try PassRun("score-channels,fixpoint(mask-channels{ratio=0.5})", on: network)
    }
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics[0].message == "the passes of a fixpoint do not settle")
  }
}
