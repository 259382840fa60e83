import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecSelection
import PrunecTestSupport
import Testing

@testable import PrunecDriver

@Suite struct SampleOptionsTests {
  private func options(_ change: (inout PruneOptions) -> Void = { _ in }) -> PruneOptions {
    var options = PruneOptions()
    options.samples = .synthetic
    change(&options)
    return options
  }

  private static let small = 1_000_000
  private static let large = 100_000_000_000

  private static let dataPasses = [
    "rotate-heads", "collect-statistics", "measure-damage", "reconstruct-layers",
  ]

  /// The passes of the options' pipeline that need samples.
  private func passesWithData(_ options: PruneOptions) throws -> [String] {
    let text = try options.pipelineText()
    return Self.dataPasses.filter { text.contains($0) }
  }

  @Test func withoutSamplesTheWeightsDecide() throws {
    let text = try PruneOptions().pipelineText()
    #expect(text.contains("merge-neurons"))
    #expect(!text.contains("criterion=obs") && !text.contains("scope=individual"))
    #expect(try passesWithData(PruneOptions()) == [])
  }

  @Test(arguments: [SampleSource.given, .synthetic])
  func withSamplesTheyDecide(_ source: SampleSource) throws {
    let options = options { $0.samples = source }
    let text = try options.pipelineText()
    #expect(text.contains("criterion=obs") && text.contains("scope=individual"))
    #expect(!text.contains("reselect=false"))
    #expect(!text.contains("merge-neurons"))
    #expect(text.contains("data=synthetic") == (source == .synthetic))
    #expect(try passesWithData(options) == Self.dataPasses)
  }

  @Test func whatIsAskedForIsWhatRuns() throws {
    let options = options {
      $0.criterion = .l1
      $0.scope = .uniform
      $0.compensation = Compensation.nothing
    }
    let text = try options.pipelineText()
    #expect(text.contains("criterion=l1") && text.contains("scope=uniform"))
    #expect(try passesWithData(options) == [])
  }

  /// The fit chooses channels anew by `obs` alone.
  @Test func theFitDoesNotOverruleACriterion() throws {
    let text = try options {
      $0.samples = .given
      $0.criterion = .l1
    }.pipelineText()
    #expect(text.contains("reconstruct-layers{data=calibration seed=0 reselect=false}"))
  }

  @Test func aRatioNeedsNoDamage() throws {
    #expect(
      try passesWithData(options { $0.budget = .ratio(0.5) }) == [
        "rotate-heads", "collect-statistics", "reconstruct-layers",
      ])
  }

  @Test func madeUpSamplesAreForModelsThatRunQuickly() throws {
    #expect(try options().settled(macs: Self.small).samples == .synthetic)
    #expect(try options().settled(macs: Self.large).samples == .none)
  }

  @Test func madeUpSamplesAreLeftOutWhereNothingNeedsThem() throws {
    for compensation in [Compensation.nothing, .merge] {
      #expect(
        try options { $0.compensation = compensation }.settled(macs: Self.small).samples == .none)
    }
  }

  @Test func madeUpSamplesAreThereWhereTheyAreAskedFor() throws {
    #expect(try options { $0.criterion = .obs }.settled(macs: Self.large).samples == .synthetic)
    #expect(try options { $0.scope = .individual }.settled(macs: Self.large).samples == .synthetic)
    #expect(
      try options { $0.compensation = .reconstruct }.settled(macs: Self.large).samples == .synthetic
    )
    for (pipeline, source) in [
      ("fold-constants", SampleSource.none), ("collect-statistics{data=synthetic}", .synthetic),
    ] {
      let settled = try options { $0.pipeline = pipeline }.settled(macs: Self.large)
      #expect(settled.samples == source)
    }
  }

  @Test func givenSamplesStay() throws {
    #expect(try options { $0.samples = .given }.settled(macs: Self.large).samples == .given)
  }
}

@Suite struct AgreementTests {
  private static let network = """
    main (float[N,8] x) => (float[N,4] y) <float[8,32] a = {...}, float[32,4] b = {...}>
    { h = MatMul (x, a) r = Relu (h) y = MatMul (r, b) }
    """

  private func pruner(_ source: SampleSource) -> Pruner {
    var options = PruneOptions()
    options.samples = source
    return Pruner(options)
  }

  @Test func samplesThatNoPassHasSeenComeFirst() throws {
    let model = try parseModel(Self.network)
    var pruner = pruner(.given)
    pruner.calibration = try HeldBatches(seeded: model.graph, count: 8)
    let fitted = try #require(try pruner.prune(model).report.agreement)
    #expect(fitted.source == .calibration && fitted.samples == 16)
    pruner.heldBack = try HeldBatches(seeded: model.graph, count: 2, seed: 7)
    let held = try #require(try pruner.prune(model).report.agreement)
    #expect(held.source == .heldBack && held.samples == 4)
    #expect(held.divergence > 0)
  }

  @Test func madeUpSamplesAreCalledSo() throws {
    let report = try pruner(.synthetic).prune(try parseModel(Self.network)).report
    let agreement = try #require(report.agreement)
    #expect(agreement.source == .synthetic)
    #expect(agreement.samples == 1024)
    #expect(try #require(agreement.top1) > 0.5)
  }

  /// Where weights alone have decided, the result is held against the original on what the check runs on.
  @Test func withoutSamplesTheChecksInputsAreCompared() throws {
    let agreement = try #require(
      try pruner(.none).prune(try parseModel(Self.network)).report.agreement)
    #expect(agreement.source == .check)
    #expect(agreement.divergence > 0)
    #expect(agreement.top1 == nil)
  }

  @Test func missingSamplesAreAUsageError() throws {
    let model = try parseModel(Self.network)
    #expect(compileError { _ = try self.pruner(.given).prune(model) }?.kind == .usage)
  }

  /// Made-up numbers pick no row of this table.
  @Test func aModelThatMadeUpSamplesDoNotSuitIsPrunedByItsWeights() throws {
    let model = try parseModel(
      """
      main (int64[N,3] x) => (float[] y)
      <int64 first = {100}, float[4,8] t = {...}, float[8,32] a = {...}, float[32,4] b = {...}>
      { s = Sub (x, first) e = Gather (t, s) h = MatMul (e, a) r = Relu (h) y = MatMul (r, b) }
      """)
    var options = PruneOptions()
    options.samples = .synthetic
    options.check = false
    let result = try Pruner(options).prune(model)
    #expect(result.report.after.macs < result.report.before.macs)
    #expect(result.warnings.contains { $0.message.contains("no samples could be made up") })
  }

  /// Strings, and inputs that are not there.
  @Test(arguments: ["string[N,3] x, float[N,8] z", "float[N,8] z"])
  func inputsThatCannotBeMadeUp(_ signature: String) throws {
    let model = try parseModel(
      """
      main (\(signature)) => (float[] y) <float[8,32] a = {...}, float[32,4] b = {...}>
      { h = MatMul (z, a) r = Relu (h) y = MatMul (r, b) }
      """)
    let report = try pruner(.synthetic).prune(model).report
    #expect(report.after.macs < report.before.macs)
  }
}
