import PrunecCoupling
import PrunecSelection
import PrunecTestSupport
import Testing

/// Budgets of time, with times given by a formula.
@Suite struct LatencySelectionTests {
  /// Parts that depend on some groups, each with a time in seconds.
  final class Times: PartTimes {
    typealias Formula = (_ kept: [Int]) -> Double

    let groupsOfPart: [[Int]]
    private let formulas: [Formula]
    /// How often times have been asked for.
    private(set) var count = 0

    init(_ parts: [(groups: [Int], Formula)]) {
      groupsOfPart = parts.map(\.groups)
      formulas = parts.map(\.1)
    }

    func seconds(of parts: [Int], keeping kept: [Int]) -> [Double] {
      count += 1
      return parts.map { formulas[$0](kept) }
    }
  }

  /// Two hidden layers of 64 and 32 channels.
  private static let chain = """
    main (float[N,8] x) => (float[N,4] y)
    <float[8,64] w1 = {...}, float[64,32] w2 = {...}, float[32,4] w3 = {...}>
    {
      [fc1] a = MatMul (x, w1)
      [fc2] b = MatMul (a, w2)
      [fc3] y = MatMul (b, w3)
    }
    """

  /// Each layer takes as long as its weights are many, in blocks of so many results.
  private func chainTimes(block: Int = 1) -> Times {
    func blocks(_ width: Int) -> Double { Double((width + block - 1) / block * block) }
    return Times([
      ([0], { 8 * blocks($0[0]) }),
      ([0, 1], { Double($0[0]) * blocks($0[1]) }),
      ([1], { Double($0[1]) * 4 }),
      ([], { _ in 100 }),
    ])
  }

  private func selection(
    _ text: String = chain, _ change: (inout Guards) -> Void = { _ in }
  ) throws -> ChannelSelection {
    let model = try CoupledModel(text)
    var scores = ChannelScores(criterion: "test")
    for group in model.coupling.groups where group.pin == nil {
      scores.set((1...group.count).map { Float($0) }, for: group, in: model.coupling)
    }
    var guards = Guards()
    guards.alignment = .multiple(1)
    guards.minChannels = 1
    change(&guards)
    return try ChannelSelection(
      model.graph, model.facts, model.coupling, scores, guards: guards)
  }

  @Test(arguments: [0.9, 0.7, 0.5, 0.3], [Scope.global, .uniform])
  func theLimitIsKept(fraction: Double, scope: Scope) throws {
    let selection = try selection()
    let times = chainTimes()
    let limit = fraction * (try times.seconds(keeping: selection.wholeCounts))
    let kept = try #require(try selection.counts(within: limit, scope: scope, times))
    let reached = try times.seconds(keeping: kept)
    #expect(reached <= limit)
    #expect(reached > limit * 0.93, "no more goes than has to")
    #expect(try selection.counts(within: limit, scope: scope, chainTimes()) == kept)
  }

  /// From the counts of another limit the search comes to as good ones.
  @Test(arguments: [0.5, 0.65, 0.7])
  func aSearchGoesOn(fraction: Double) throws {
    let selection = try selection()
    let times = chainTimes()
    let whole = try times.seconds(keeping: selection.wholeCounts)
    let start = try #require(
      try selection.counts(within: 0.6 * whole, scope: .global, chainTimes()))
    let limit = fraction * whole
    let kept = try #require(
      try selection.counts(within: limit, scope: .global, times, from: start))
    let reached = try times.seconds(keeping: kept)
    #expect(reached <= limit)
    #expect(reached > 0.93 * limit)
  }

  @Test func whatMeetsTheLimitIsLeftAlone() throws {
    let selection = try selection()
    let times = chainTimes()
    let whole = try times.seconds(keeping: selection.wholeCounts)
    let kept = try #require(try selection.counts(within: whole, scope: .global, times))
    #expect(kept.prefix(2) == [64, 32])
  }

  /// From 48 channels down to 33 a layer takes the same time: it keeps 48, or 32.
  @Test(arguments: [0.95, 0.85, 0.75, 0.65, 0.55])
  func noWidthWithinAStep(fraction: Double) throws {
    let selection = try selection()
    let times = Times([
      ([0], { Double(($0[0] + 15) / 16) * 10 }), ([1], { Double(($0[1] + 15) / 16) * 10 }),
    ])
    let limit = fraction * 60
    let kept = try #require(try selection.counts(within: limit, scope: .global, times))
    #expect(try times.seconds(keeping: kept) <= limit)
    #expect(kept[0] % 16 == 0 && kept[1] % 16 == 0, "\(kept)")
  }

  /// Where time falls in one layer only, that is the one to cut.
  @Test func onlyWhatSavesTimeGoes() throws {
    let times = Times([([0], { Double($0[0]) }), ([1], { _ in 64 })])
    let kept = try #require(try selection().counts(within: 100, scope: .global, times))
    #expect(kept.prefix(2) == [36, 32])
  }

  @Test func aLimitOutOfReach() throws {
    let selection = try selection()
    let times = chainTimes()
    let least = try times.seconds(keeping: selection.leastCounts)
    #expect(selection.leastCounts.prefix(2) == [32, 4])
    for scope in Scope.allCases {
      #expect(try selection.counts(within: least * 0.99, scope: scope, times) == nil)
      #expect(
        try selection.counts(within: least, scope: scope, times) == selection.leastCounts)
    }
  }

  @Test func guardsHold() throws {
    let times = chainTimes()
    let limit = 0.6 * (try times.seconds(keeping: try selection().wholeCounts))
    func counts(_ change: (inout Guards) -> Void) throws -> [Int]? {
      try selection(Self.chain, change).counts(within: limit, scope: .global, times)
    }
    let whole = try #require(try counts { $0.keep = ["fc1"] })
    #expect(whole[0] == 64)
    let given = try #require(try counts { $0.ratios = [("fc1", 0.25)] })
    #expect(given[0] == 48)
    let aligned = try #require(try counts { $0.alignment = .multiple(8) })
    #expect(aligned.prefix(2).allSatisfy { $0 % 8 == 0 })
    let guarded = try counts { $0.maxRatio = 0.1 }
    #expect(guarded == nil)
  }

  /// A search asks for the times of few widths: of independent groups at once.
  @Test func independentGroupsAreTriedTogether() throws {
    let layers = 12
    let weights = (0..<layers).map { "float[8,32] u\($0) = {...}, float[32,8] d\($0) = {...}" }
    let nodes = (0..<layers).map {
      "[up\($0)] a\($0) = MatMul (x, u\($0))\n[down\($0)] b\($0) = MatMul (a\($0), d\($0))"
    }
    let text = """
      main (float[N,8] x) => (float[N,8] y)
      <\(weights.joined(separator: ", "))>
      {
        \(nodes.joined(separator: "\n"))
        y = Sum (\((0..<layers).map { "b\($0)" }.joined(separator: ", ")))
      }
      """
    let selection = try selection(text)
    let times = Times((0..<layers).map { layer in ([layer], { Double($0[layer]) }) })
    #expect(try selection.counts(within: 32 * 8, scope: .global, times) != nil)
    #expect(times.count < 300)
  }

  @Test(arguments: [
    ("0.5", LatencyTarget.fraction(0.5)), ("1", .fraction(1)), ("4ms", .seconds(0.004)),
    ("4.5ms", .seconds(0.0045)), ("800us", .seconds(0.0008)), ("0.1s", .seconds(0.1)),
    ("2s", .seconds(2)),
  ])
  func targets(_ text: String, _ target: LatencyTarget) throws {
    let read = try #require(LatencyTarget(text))
    switch (read, target) {
    case (.fraction(let a), .fraction(let b)), (.seconds(let a), .seconds(let b)):
      #expect(abs(a - b) < 1e-12)
    default: Issue.record("\(text) is \(read)")
    }
    #expect(LatencyTarget(read.text) == read)
  }

  @Test(arguments: [
    "", "0", "1.5", "-1", "0ms", "-4ms", "ms", "4 m", "fast", "nan", "infs", "4min",
  ])
  func whatIsNoTarget(_ text: String) { #expect(LatencyTarget(text) == nil) }
}
