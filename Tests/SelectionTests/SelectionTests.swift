import PrunecCoupling
import PrunecGraphIR
import PrunecSelection
import PrunecTestSupport
import Testing

/// Budgets, scopes, alignment and guards, on chains of layers with scores given by hand.
@Suite struct SelectionTests {
  /// Two hidden layers of 32 and 16 channels.
  private static let chain = """
    main (float[N,8] x) => (float[N,4] y)
    <float[8,32] w1 = {...}, float[32,16] w2 = {...}, float[16,4] w3 = {...}>
    {
      [fc1] a = MatMul (x, w1)
      [fc2] b = MatMul (a, w2)
      [fc3] y = MatMul (b, w3)
    }
    """

  /// Scores that rise with the channel's index, those of the second layer ten times the first's.
  private func scores(_ model: CoupledModel) -> ChannelScores {
    var scores = ChannelScores(criterion: "test")
    for (index, group) in model.coupling.groups.enumerated() where group.pin == nil {
      let factor: Float = index == 0 ? 1 : 10
      scores.set(
        (0..<group.count).map { factor * Float($0 + 1) }, for: group, in: model.coupling)
    }
    return scores
  }

  private func removed(
    _ budget: Budget, scope: Scope = .global, _ guards: Guards,
    text: String = chain
  ) throws -> [Int: Set<Int>] {
    let model = try CoupledModel(text)
    return try ChannelSelection(
      model.graph, model.facts, model.coupling, scores(model), guards: guards
    ).removed(budget: budget, scope: scope)
  }

  /// The numbers of channels removed from the two hidden layers.
  private func counts(
    _ budget: Budget, scope: Scope = .global, _ change: (inout Guards) -> Void = { _ in }
  ) throws -> [Int] {
    var guards = Guards()
    guards.alignment = .multiple(1)
    guards.minChannels = 1
    change(&guards)
    let removed = try self.removed(budget, scope: scope, guards)
    return [removed[0]?.count ?? 0, removed[1]?.count ?? 0]
  }

  @Test func ratioTakesTheLeastOfEveryGroup() throws {
    var guards = Guards()
    guards.alignment = .multiple(1)
    let removed = try self.removed(.ratio(0.5), guards)
    #expect(removed[0] == Set(0..<16))
    #expect(removed[1] == Set(0..<8))
    #expect(removed.count == 2)
  }

  /// round(n (1 - R)) channels stay, and one always does.
  @Test func ratioRounds() throws {
    #expect(try counts(.ratio(0.3)) == [10, 5])
    #expect(try counts(.ratio(0)) == [0, 0])
    #expect(try counts(.ratio(1)) == [31, 15])
  }

  @Test func globalScopeComparesGroups() throws {
    // The second layer scores ten times the first: only its least channel is among the eleven.
    #expect(try counts(.parameters(0.7)) == [10, 1])
    #expect(try counts(.parameters(1)) == [0, 0])
  }

  /// Channels that coarse steps took too many of are given back up to the very limit: 24 and 8 channels have half of the
  /// parameters, and 16 and 8 less.
  @Test func limitsAreExhausted() throws {
    #expect(try counts(.parameters(0.5)) { $0.alignment = .multiple(8) } == [8, 8])
  }

  /// Scores that are all alike take the same share of every group.
  @Test func equalScoresTreatGroupsAlike() throws {
    let model = try CoupledModel(Self.chain)
    var guards = Guards()
    guards.alignment = .multiple(1)
    let removed = try ChannelSelection(
      model.graph, model.facts, model.coupling, ChannelScores(criterion: "test"), guards: guards
    ).removed(budget: .parameters(0.6), scope: .global)
    let (first, second) = (removed[0]?.count ?? 0, removed[1]?.count ?? 0)
    #expect(first > 0 && abs(first - 2 * second) <= 2)
  }

  /// A step of the second layer saves more for its damage, but not of what is still missing.
  @Test func savingsBeyondTheLimitAreWorthNothing() throws {
    let model = try CoupledModel(Self.chain)
    var table = DamageTable(fractions: [], sampleCount: 1)
    for (group, first) in [(0, 1.0), (1, 1.1)] {
      let count = model.coupling.groups[group].count
      var curve = DamageTable.Curve(count: count)
      curve.add(kept: count - 1, divergence: first)
      curve.add(kept: count / 2, divergence: 1000)
      table[model.coupling.groups[group]] = curve
    }
    var guards = Guards()
    guards.alignment = .multiple(1)
    let removed = try ChannelSelection(
      model.graph, model.facts, model.coupling, scores(model), guards: guards, damage: table
    ).removed(budget: .parameters(822.5 / 832), scope: .individual)
    #expect(removed == [0: [0]])
  }

  @Test func uniformScopeTreatsGroupsAlike() throws {
    let found = try counts(.macs(0.5), scope: .uniform)
    #expect(found[0] > 0)
    #expect(abs(found[0] - 2 * found[1]) <= 1)
  }

  @Test(arguments: [Scope.global, .uniform], [0.9, 0.6, 0.4])
  func budgetsAreKept(scope: Scope, fraction: Double) throws {
    let model = try CoupledModel(Self.chain)
    let cost = CutCost(model.graph, model.facts, model.coupling)
    let whole = model.coupling.groups.map(\.count)
    for budget in [Budget.macs(fraction), .parameters(fraction)] {
      var guards = Guards()
      guards.alignment = .multiple(1)
      let removed = try self.removed(budget, scope: scope, guards)
      let kept = whole.indices.map { whole[$0] - (removed[$0]?.count ?? 0) }
      let quantity: CutCost.Quantity =
        if case .macs = budget { .macs } else { .parameters }
      let reached =
        Double(cost.total(quantity, keeping: kept)) / Double(cost.total(quantity, keeping: whole))
      #expect(reached <= fraction)
      #expect(reached > fraction - 0.1, "no more goes than has to")
    }
  }

  @Test func kinds() throws {
    #expect(try counts(.ratio(0.5)) { $0.only = [.ffn] } == [16, 8])
    #expect(try counts(.ratio(0.5)) { $0.keep = ["ffn"] } == [0, 0])
    #expect(try counts(.ratio(0.5)) { $0.ratios = [("ffn", 0.25)] } == [8, 4])
    let error = #expect(throws: CompileError.self) {
      try counts(.ratio(0.5)) { $0.only = [.conv] }
    }
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics.first?.message == "no group of kind 'conv' can be cut")
    #expect(error?.diagnostics.first?.notes == ["there are groups of 'ffn'"])
  }

  @Test func alignmentToMultiples() throws {
    // 32 * 0.6 = 19.2 and 16 * 0.6 = 9.6 channels, to the nearest multiple.
    #expect(try counts(.ratio(0.4)) == [13, 6])
    #expect(try counts(.ratio(0.4)) { $0.alignment = .multiple(4) } == [12, 4])
    #expect(try counts(.ratio(0.4)) { $0.alignment = .multiple(8) } == [16, 8])
    #expect(try counts(.ratio(0.4)) { $0.alignment = .multiple(64) } == [0, 0])
    #expect(try counts(.ratio(0.4)) { $0.alignment = .auto } == [12, 4])
  }

  @Test func guardsOfBudgets() throws {
    // As far as it may go: half of the first layer, and the second layer's limit.
    #expect(try counts(.parameters(0.25)) { $0.maxRatio = 0.75 } == [16, 12])
    #expect(try counts(.parameters(0.275)) { $0.minChannels = 5 } == [16, 11])
    let error = #expect(throws: CompileError.self) { try counts(.parameters(0.1)) }
    #expect(error?.kind == .checkFailed)
    #expect(
      error?.diagnostics[0].message
        == "parameters cannot be brought to 10.0 %: 20.2 % is as far as it goes")
  }

  /// A budget and what can be reached are told apart, however close they are.
  @Test func budgetsThatAreJustOutOfReach() throws {
    let error = #expect(throws: CompileError.self) {
      try counts(.parameters(0.2019)) { $0.maxRatio = 0.75 }
    }
    #expect(error?.diagnostics[0].message.hasSuffix("is as far as it goes") == true)
    let close = #expect(throws: CompileError.self) { try counts(.parameters(0.20191)) }
    #expect(
      close?.diagnostics[0].message
        == "parameters cannot be brought to 20.191 %: 20.192 % is as far as it goes")
  }

  @Test func keptGroups() throws {
    #expect(try counts(.ratio(0.5)) { $0.keep = ["fc1"] } == [0, 8])
    #expect(try counts(.ratio(0.5)) { $0.keep = ["w3"] } == [16, 0])
    #expect(try counts(.ratio(0.5)) { $0.keep = ["*"] } == [0, 0])
  }

  @Test func ratiosOfGroups() throws {
    #expect(try counts(.ratio(0.5)) { $0.ratios = [("fc2", 0.25)] } == [16, 4])
    // The last match wins, and what is kept is kept.
    #expect(try counts(.ratio(0.5)) { $0.ratios = [("fc*", 0.25), ("fc2", 0)] } == [8, 0])
    #expect(
      try counts(.ratio(0.5)) {
        $0.ratios = [("fc*", 0.25)]
        $0.keep = ["fc1"]
      } == [0, 4])
  }

  /// Groups whose indices have a meaning are cut for those who name them.
  @Test func indicesWithAMeaning() throws {
    let text = """
      main (float[N,8] x) => (float[N,4] y)
      <float[8,8] w1 = {...}, float[8] range = {0, 1, 2, 3, 4, 5, 6, 7}, float[8,16] w2 = {...},
       float[16,4] w3 = {...}>
      {
        [fc1] a = MatMul (x, w1)
        p = Mul (a, range)
        [fc2] b = MatMul (p, w2)
        [fc3] y = MatMul (b, w3)
      }
      """
    func counts(_ change: (inout Guards) -> Void) throws -> [Int] {
      var guards = Guards()
      guards.alignment = .multiple(1)
      guards.minChannels = 1
      change(&guards)
      let removed = try removed(.ratio(0.5), guards, text: text)
      return [removed[0]?.count ?? 0, removed[1]?.count ?? 0]
    }
    #expect(try counts { _ in } == [0, 8])
    #expect(try counts { $0.ratios = [("fc1", 0.25)] } == [2, 8])
    #expect(try counts { $0.only = [.index] } == [4, 0])
    #expect(try counts { $0.only = [.ffn] } == [0, 8])
  }

  /// `min-channels` holds no more than half of a small group.
  @Test func smallGroups() throws {
    #expect(try counts(.parameters(0.35)) { $0.minChannels = 12 } == [16, 8])
  }

  /// Half of nine channels are five.
  @Test func smallGroupsOfAnOddNumber() {
    let text = """
      main (float[N,8] x) => (float[N,4] y)
      <float[8,8] w1 = {...}, float[8,9] w2 = {...}, float[9,4] w3 = {...}>
      { a = MatMul (x, w1) b = MatMul (a, w2) y = MatMul (b, w3) }
      """
    var guards = Guards()
    guards.alignment = .multiple(1)
    let error = #expect(throws: CompileError.self) {
      try removed(.parameters(0.4), guards, text: text)
    }
    // 4 and 5 channels have 72 of 172 parameters.
    #expect(
      error?.diagnostics[0].message
        == "parameters cannot be brought to 40.0 %: 41.9 % is as far as it goes")
    // Left are 32 parameters of w1, 20 of w2 and 20 of w3, of 172.
    let note = error?.diagnostics[0].notes.last ?? ""
    #expect(note.hasPrefix("most of the rest depends on "))
    #expect(note.contains("(30.2 %: keeps 4 of 8 channels)"))
    #expect(note.contains("(23.3 %: keeps 5 of 9 channels)"))
  }

  @Test func patternsThatMatchNothing() throws {
    for change in [
      { (guards: inout Guards) in guards.keep = ["conv*"] },
      { guards in guards.ratios = [("fc9", 0.5)] },
    ] {
      let error = #expect(throws: CompileError.self) { try counts(.ratio(0.5), change) }
      #expect(error?.kind == .usage)
    }
    // A pinned group is matched too: it is kept already.
    #expect(try counts(.ratio(0.5)) { $0.keep = ["fc3"] } == [16, 8])
  }

  /// A mask of the moments of an axis needs none or two removed channels.
  @Test func normalizedAxesNeverLoseASingleChannel() throws {
    let text = """
      main (float[N,5,3] x) => (float[N,5,2] y)
      <float[3,4] w1 = {...}, float[4] s = {...}, float[4] b = {...}, float[4,2] w2 = {...}>
      {
        [fc1] t = MatMul (x, w1)
        [norm] n = LayerNormalization (t, s, b)
        [fc2] y = MatMul (n, w2)
      }
      """
    var guards = Guards()
    guards.alignment = .multiple(1)
    #expect(try removed(.ratio(0.25), guards, text: text) == [:])
    #expect(try removed(.ratio(0.5), guards, text: text) == [0: [0, 1]])
  }

  @Test func globs() {
    #expect(Glob("layer*.conv?").matches("layer1.0.conv2"))
    #expect(!Glob("layer*.conv?").matches("layer1.conv"))
    #expect(Glob("[ab]").matches("b"))
    #expect(!Glob("a").matches("ab"))
  }

  /// A stream of 12 channels, which two branches of attention with 16 dimensions read and add to.
  private static let attention = """
    main (float[N,5,3] x) => (float[N,5,2] y)
    <float[3,12] embed = {...}, float[12,16] wq = {...}, float[12,16] wk = {...}, float[12,16] wv = {...},
     float[16,12] wo = {...}, float[12,16] up = {...}, float[16,12] down = {...}, float[12,2] head = {...}>
    {
      [embed] s = MatMul (x, embed)
      [q] q = MatMul (s, wq)
      [k] k = MatMul (s, wk)
      kt = Transpose <perm = [0, 2, 1]> (k)
      scores = MatMul (q, kt)
      p = Softmax (scores)
      [v] v = MatMul (s, wv)
      mixed = MatMul (p, v)
      [o] o = MatMul (mixed, wo)
      t = Add (s, o)
      [up] u = MatMul (t, up)
      r = Relu (u)
      [down] d = MatMul (r, down)
      e = Add (t, d)
      [head] y = MatMul (e, head)
    }
    """

  @Test func budgetsSpareTheStreamOfATransformer() throws {
    let model = try CoupledModel(Self.attention)
    let stream = try #require(model.coupling.groups.firstIndex { $0.kind == .residual })
    var guards = Guards()
    guards.alignment = .multiple(1)
    guards.minChannels = 1
    func removed(_ budget: Budget) throws -> [Int: Set<Int>] {
      try self.removed(budget, guards, text: Self.attention)
    }
    for budget in [Budget.parameters(0.5), .macs(0.5)] {
      let removed = try removed(budget)
      #expect(removed[stream] == nil)
      #expect(removed.count >= 2)
    }
    // What cannot be met without it takes from it, and so does what is asked for by name.
    #expect(try removed(.parameters(0.1))[stream] != nil)
    #expect(try removed(.ratio(0.5))[stream]?.count == 6)
    guards.only = [.residual]
    #expect(try removed(.parameters(0.7)).keys.sorted() == [stream])
  }
}
