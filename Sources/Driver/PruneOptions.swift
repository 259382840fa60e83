import Foundation
import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSelection
import PrunecSemantics

/// How removed channels are made up for.
public enum Compensation: String, Sendable, CaseIterable {
  case nothing = "none"
  /// Neuron merging; needs no data.
  case merge
  /// Least squares on what layers really read, layer by layer; needs samples.
  case reconstruct
}

/// Where the samples come from that a model is run on while it is pruned.
public enum SampleSource: String, Sendable, CaseIterable {
  /// There are none: weights alone decide.
  case none
  /// They are given, by `Pruner.calibration`.
  case given = "calibration"
  /// They are made up (`SyntheticSamples`).
  case synthetic
}

/// Parts of what samples tell that may have been collected before.
public struct StoredParts: Sendable, Hashable {
  public var statistics = false
  public var damage = false

  public init(statistics: Bool = false, damage: Bool = false) {
    (self.statistics, self.damage) = (statistics, damage)
  }
}

/// What a user can ask of pruning.
public struct PruneOptions: Sendable {
  public var budget: Budget = .macs(Budget.standardFraction)
  /// Number of cuts in which the budget is reached, each with importance and damage measured anew on what the cuts before it left.
  public var iterations = 1
  /// Where a budget looks for channels; with samples `individual` where it is not given, else `global`.
  public var scope: Scope?
  /// Criterion of a channel's importance; with samples `obs` where it is not given, else `l2`.
  public var criterion: (any ChannelCriterion)?
  /// Compensation for removed channels; with samples `reconstruct` where it is not given, else `merge`.
  public var compensation: Compensation?
  /// Source of the samples on which the model is run to see what can go, and to make up for it.
  public var samples = SampleSource.none
  /// Parts of what samples tell that were collected before (`Pruner.stored`), and are taken in place of running the original.
  public var stored = StoredParts()
  /// Number of samples that the positions which are looked at are shared out among.
  public var sampleCount = CollectStatistics.samples.defaultValue
  /// Mean and deviation of the values that the model's inputs usually have, for samples that are made up; `nil` for what the
  /// model's own normalization suggests.
  public var inputDistribution: SyntheticSamples.Distribution?
  /// Amount spent on measuring what single groups do to the outputs.
  public var effort: Effort?
  public var guards = Guards()
  /// Which factor of a split axis is cut; where it is not given, what the kinds that are asked for need.
  public var direction: SplitDirection?
  public var seed = ScoreChannels.seed.defaultValue
  /// Inputs that the model runs on, where those that are made up would not do: the check runs on them, and costs are counted
  /// for their shapes.
  public var inputs = GivenInputs()
  /// Run the masked original and the pruned model and compare.
  public var check = true
  /// Greatest relative error that the check accepts.
  public var tolerance = 1e-4
  /// Refuse models with operators that are not understood.
  public var isStrict = false
  /// Whether samples are needed to hold the result against the original, whatever else they are for.
  public var comparesOnSamples = false
  /// A pipeline to run instead of the one that the options describe.
  public var pipeline: String?

  public init() {}
}

extension PruneOptions {
  /// The direction in which split axes are cut.
  ///
  /// Throws a usage error where both heads and head dimensions are asked for: cutting one fixes the
  /// factors of the other.
  func splitDirection() throws(CompileError) -> SplitDirection {
    if let direction { return direction }
    let kinds = guards.namedKinds
    guard kinds.contains(.head) else { return .inner }
    guard !kinds.contains(.headDimension) else {
      throw CompileError(
        .usage, "heads and their dimensions cannot be cut in one run",
        notes: ["cut the one first, and the other in the model that comes out"])
    }
    return .outer
  }

  /// Passes that bring a graph into the form that the coupling reads best, without touching weights.
  public static let preparation =
    "fixpoint(eliminate-identities,fold-constants,inline-branches,hoist-branches,fix-shape-constants,separate-shape-constants,"
    + "eliminate-dead-nodes),correct-types,separate-shared-vectors"

  /// The text of the pipeline that the options describe, or of the one that they name instead.
  ///
  /// Throws a usage error where both heads and head dimensions are asked for, and where a pipeline is named
  /// beside options that are parts of one.
  public func pipelineText() throws(CompileError) -> String {
    try stages().map(\.description).filter { !$0.isEmpty }.joined(separator: ",")
  }

  /// The pipeline in two parts: what looks at the model, whatever the budget, and what cuts it.
  ///
  /// One that is named is all in the second. Throws as `pipelineText` does.
  func stages() throws(CompileError) -> [Pipeline] {
    guard let pipeline else {
      return [
        try Pipeline(measurement().joined(separator: ",")),
        try Pipeline(cutting().joined(separator: ",")),
      ]
    }
    var plain = PruneOptions()
    (plain.seed, plain.samples, plain.stored) = (seed, samples, stored)
    plain.sampleCount = sampleCount
    guard try measurement() + cutting() == plain.measurement() + plain.cutting() else {
      throw CompileError(
        .usage, "a pipeline says all that is done",
        notes: [
          "leave out the options that are parts of one; --print-pipeline shows them as text"
        ])
    }
    return [Pipeline([]), try Pipeline(pipeline)]
  }

  /// The steps that choose channels, take them out, and make up for them, as often as there are iterations.
  private func cutting() throws(CompileError) -> [String] {
    var steps: [String] = []
    guard iterations == 1 || samples != .none || !stored.statistics else {
      throw CompileError(
        .usage, "stored statistics are about the whole model: several iterations need samples",
        notes: ["say --calibration"])
    }
    for iteration in 1...max(1, iterations) {
      if iteration > 1 { steps += measuringChannels(isFirst: false) }
      steps += cut(to: try budget(ofIteration: iteration))
    }
    return steps + [MergeEqualVectors.name, LowerMasks.name, SinkBranches.name]
  }

  /// The budget of a cut, in equal steps of the share that is kept: a fraction f of the original is f^(i/N) in cut i of N. A ratio
  /// is of what the cut before has left.
  private func budget(ofIteration iteration: Int) throws(CompileError) -> Budget {
    guard iterations > 1 else { return budget }
    let share = Double(iteration) / Double(iterations)
    switch budget {
    case .macs(let fraction): return .macs(iteration < iterations ? pow(fraction, share) : fraction)
    case .parameters(let fraction):
      return .parameters(iteration < iterations ? pow(fraction, share) : fraction)
    case .ratio(let ratio): return .ratio(ratioOfOneCut(ratio))
    case .latency, .memory:
      throw CompileError(
        .usage, "a time, or a size of memory, is met in one iteration, with its own measurements")
    }
  }

  /// The ratio of each cut for which all together remove `ratio`.
  private func ratioOfOneCut(_ ratio: Double) -> Double {
    iterations > 1 ? 1 - pow(1 - ratio, 1 / Double(iterations)) : ratio
  }

  /// The steps of one cut.
  private func cut(to budget: Budget) -> [String] {
    var guards = guards
    guards.ratios = guards.ratios.map { ($0.pattern, ratioOfOneCut($0.ratio)) }
    var steps = [MaskChannels.text(MaskChannels.settings(budget, usedScope, guards))]
    switch compensation ?? (knowsSamples ? .reconstruct : .merge) {
    case .nothing: break
    case .merge: steps.append(MergeNeurons.name)
    case .reconstruct where samples == .none && stored.statistics: steps.append(RefitLayers.name)
    case .reconstruct:
      // Another criterion that was asked for has the last word.
      let choice =
        usedCriterion.name == BrainSurgeon().name ? [] : ReconstructLayers.reselect.settings(false)
      // Of made-up samples a fit may believe less; what it leaves as it was had better be merged.
      let isSynthetic = samples == .synthetic
      let merges = isSynthetic && !choice.isEmpty
      if merges { steps.append(MergeNeurons.name) }
      let ridge = isSynthetic ? ReconstructLayers.ridge.settings(merges ? 0.1 : 0.01) : []
      steps.append(
        ReconstructLayers.text(data + ReconstructLayers.seed.settings(seed) + choice + ridge))
    }
    steps.append(ShrinkChannels.name)
    steps.append("fixpoint(eliminate-identities,fold-constants,eliminate-dead-nodes)")
    return steps
  }

  /// The steps of the pipeline that look at the model, before any that chooses what is removed.
  func measurement() throws(CompileError) -> [String] {
    var steps = [Self.preparation]
    steps.append(CoupleChannels.text(CoupleChannels.direction.settings(try splitDirection())))
    if usedCriterion.measuresNormalizations { steps.append(scoring) }
    steps.append(Self.folding)
    if samples == .synthetic, !decidesByWeights {
      steps.append(
        SeekClasses.text(
          data + SeekClasses.effort.settings(usedEffort) + SeekClasses.seed.settings(seed)))
    }
    return steps + measuringChannels(isFirst: true)
  }

  /// The steps that measure channels as they are now. What normalizations say has been read before they were folded, and what is
  /// stored is about the whole model.
  private func measuringChannels(isFirst: Bool) -> [String] {
    let criterion = usedCriterion
    let turnsHeads = isFirst && criterion.needsStatistics
    var steps: [String] = []
    if criterion.needsStatistics || usedScope == .individual {
      steps.append(collecting(withHeads: turnsHeads, isStored: isFirst && stored.statistics))
      if turnsHeads { steps.append(RotateHeads.name) }
    }
    if !criterion.measuresNormalizations { steps.append(scoring) }
    if usedScope == .individual {
      steps.append(
        MeasureDamage.text(
          isFirst && stored.damage
            ? storedData : data + MeasureDamage.effort.settings(usedEffort)))
    }
    return steps
  }

  private func collecting(withHeads hasHeads: Bool, isStored: Bool) -> String {
    let source =
      isStored
      ? storedData
      : data + settingsUnlessDefault(CollectStatistics.samples, sampleCount)
        + CollectStatistics.seed.settings(seed)
    return CollectStatistics.text(source + settingsUnlessDefault(CollectStatistics.heads, hasHeads))
  }

  private func settingsUnlessDefault<Value: Equatable>(
    _ option: PassOption<Value>, _ value: Value
  ) -> [PassSetting] {
    value == option.defaultValue ? [] : option.settings(value)
  }

  /// The steps that bring a model into the form in which statistics are collected, and collect them.
  func collection() throws(CompileError) -> [String] {
    [
      Self.preparation,
      CoupleChannels.text(CoupleChannels.direction.settings(try splitDirection())),
      Self.folding, collecting(withHeads: true, isStored: false),
    ]
  }

  private static let folding = "fold-batch-norm,eliminate-dead-nodes"

  /// Whether anything is known of samples.
  private var knowsSamples: Bool { samples != .none || stored.statistics }

  var usedCriterion: any ChannelCriterion {
    criterion ?? (knowsSamples ? .obs : .l2)
  }

  private var scoring: String {
    ScoreChannels.text(
      ScoreChannels.criterion.settings(usedCriterion) + ScoreChannels.seed.settings(seed)
        + (usedCriterion.needsSamples ? data : []))
  }

  /// Where passes find the samples.
  private var data: [PassSetting] {
    CalibrationSets.option.settings((samples == .none ? .given : samples).rawValue)
  }

  private var storedData: [PassSetting] {
    StoredStatistics.option.settings(StoredStatistics.given)
  }

  /// A ratio has no use for what single groups do to the outputs.
  var usedScope: Scope {
    if let scope { return scope }
    if case .ratio = budget { return .global }
    return samples == .none && !stored.damage ? .global : .individual
  }

  /// Samples that are made up are not worth as much as real ones.
  var usedEffort: Effort { effort ?? (samples == .synthetic ? .quick : .normal) }

  /// Multiply-accumulate operations after which pruning without data had better leave out running the model: about a minute.
  private static let syntheticLimit = 2.4e12

  /// The options, without made-up samples where weights alone decide, or where running the model, which does `macs` operations
  /// and makes a value of at most `largestValue` elements of one sample, would take long or much memory.
  func settled(macs: Int, largestValue: Int = 0) throws(CompileError) -> PruneOptions {
    guard samples == .synthetic else { return self }
    var settled = self
    if let pipeline {
      let data = CalibrationSets.option.settings(SampleSource.synthetic.rawValue)
      if try !Pipeline(pipeline).settings.contains(where: { $0 == data[0] }) {
        settled.samples = .none
      }
      return settled
    }
    if needsSamples { return self }
    let passes = 4.0 * Double(syntheticCount(macs: macs))
    let isQuick = Double(macs) * passes + usedEffort.macs <= Self.syntheticLimit
    let isSmall = largestValue <= Self.largestSyntheticValue
    if decidesByWeights || !isQuick || !isSmall { settled.samples = .none }
    return settled
  }

  /// Whether an option asks for what only samples tell.
  private var needsSamples: Bool {
    criterion?.needsStatistics == true || criterion?.needsSamples == true || scope == .individual
      || compensation == .reconstruct
      || comparesOnSamples
  }

  /// Whether nothing is to be run but the check.
  var decidesByWeights: Bool {
    !needsSamples && (compensation == Compensation.nothing || compensation == .merge)
  }

  /// Number of samples that are made up for a model that does `macs` operations: from 256 to 1,024, as many as
  /// `seek-classes` can give all its steps. Chance has a smaller part in the result of more.
  private func syntheticCount(macs: Int) -> Int {
    let affordable = min(1024, max(256, usedEffort.searchedImages(macs: macs)))
    return Int(affordable) / Self.syntheticBatch * Self.syntheticBatch
  }

  /// Number of made-up samples that run at once.
  private static let syntheticBatch = 32

  /// Elements of the largest value that a model without samples may make of one: what is made of all of them is held at once.
  private static let largestSyntheticValue = 1 << 21

  /// Samples made up for a graph. Throws an unsupported error where an input takes no numbers.
  func syntheticSamples(
    for graph: Graph, _ shapes: InputShapes
  ) throws(CompileError) -> any CalibrationBatches {
    let macs = Cost(of: graph, try GraphFacts(of: graph), shapes).macs
    guard
      let samples = SyntheticSamples(
        for: graph, shapes, count: syntheticCount(macs: macs), batchSize: Self.syntheticBatch,
        seed: UInt64(seed), distribution: inputDistribution)
    else {
      throw CompileError(.unsupported, "an input takes what cannot be made up")
    }
    return samples
  }
}
