@_exported import Passes

/// How removed channels are made up for.
public enum Compensation: String, Sendable, CaseIterable {
  case none
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

/// What a user can ask of pruning.
public struct PruneOptions: Sendable {
  public var budget: Budget = .macs(0.5)
  /// Where a budget looks for channels; with samples `individual` where it is not given, else `global`.
  public var scope: Scope?
  /// What makes a channel important; with samples `obs` where it is not given, else `l2`.
  public var criterion: (any ChannelCriterion)?
  /// How removed channels are made up for; with samples `reconstruct` where it is not given, else `merge`.
  public var compensation: Compensation?
  /// What the model is run on to see what can go, and to make up for it.
  public var samples = SampleSource.none
  /// Mean and deviation of the values that the model's inputs usually have, for samples that are made up.
  public var inputDistribution = SyntheticSamples.Distribution()
  /// How much is spent on measuring what single groups do to the outputs.
  public var effort: Effort?
  public var guards = Guards()
  /// Which factor of a split axis is cut; where it is not given, what the kinds that are asked for need.
  public var direction: SplitDirection?
  public var seed = 0
  /// Inputs that the model runs on, where those that are made up would not do: the check runs on them, and costs are counted
  /// for their shapes.
  public var inputs = GivenInputs()
  /// Run the masked original and the pruned model and compare.
  public var check = true
  /// Greatest relative error that the check accepts.
  public var tolerance = 1e-4
  /// Refuse models with operators that are not understood.
  public var isStrict = false
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
    "fixpoint(eliminate-identities,fold-constants,fix-shape-constants,separate-shape-constants,"
    + "eliminate-dead-nodes),separate-shared-vectors"

  /// The text of the pipeline that the options describe.
  public var pipelineText: String {
    if let pipeline { return pipeline }
    let criterion = self.criterion ?? (samples != .none ? .obs : .l2)
    let compensation = self.compensation ?? (samples != .none ? .reconstruct : .merge)
    let score = "score-channels{criterion=\(criterion.name) seed=\(seed)}"
    let fold = "fold-batch-norm,eliminate-dead-nodes"
    var steps = [Self.preparation]
    if criterion.measuresNormalizations { steps += [score, fold] } else { steps.append(fold) }
    let data = "data=\(samples == .none ? SampleSource.given.rawValue : samples.rawValue)"
    let needsStatistics = criterion.needsStatistics || usedScope == .individual
    if criterion.needsStatistics { steps.append("rotate-heads{\(data)}") }
    if needsStatistics { steps.append("collect-statistics{\(data) seed=\(seed)}") }
    if !criterion.measuresNormalizations { steps.append(score) }
    if usedScope == .individual {
      steps.append("measure-damage{\(data) effort=\(usedEffort.rawValue)}")
    }
    steps.append("mask-channels{\(maskOptions)}")
    switch compensation {
    case .none: break
    case .merge: steps.append("merge-neurons")
    case .reconstruct: steps.append("reconstruct-layers{\(data) seed=\(seed)}")
    }
    steps.append("shrink-channels")
    steps.append("fixpoint(eliminate-identities,fold-constants,eliminate-dead-nodes)")
    steps.append("merge-equal-vectors")
    return steps.joined(separator: ",")
  }

  /// A ratio has no use for what single groups do to the outputs.
  private var usedScope: Scope {
    if let scope { return scope }
    if case .ratio = budget { return .global }
    return samples == .none ? .global : .individual
  }

  /// Samples that are made up are not worth as much as real ones.
  private var usedEffort: Effort { effort ?? (samples == .synthetic ? .quick : .normal) }

  /// Multiply-accumulate operations after which pruning without data had better leave out running the model: about a minute.
  private static let syntheticLimit = 2.4e12

  /// The options, without made-up samples where weights alone decide or running the model, which does `macs` operations, would
  /// take long.
  func settled(macs: Int) -> PruneOptions {
    guard samples == .synthetic, pipeline == nil else { return self }
    let needsSamples =
      criterion?.needsStatistics == true || scope == .individual || compensation == .reconstruct
    let isPlain = compensation == Compensation.none || compensation == .merge
    let passes = 4.0 * Double(Self.syntheticCount)
    guard !needsSamples, isPlain || Double(macs) * passes + usedEffort.macs > Self.syntheticLimit
    else { return self }
    var settled = self
    settled.samples = .none
    return settled
  }

  /// Number of samples that are made up, and how many run at once.
  static let (syntheticCount, syntheticBatch) = (256, 32)

  private var maskOptions: String {
    var options: [String] = []
    switch budget {
    case .macs(let fraction): options.append("macs=\(fraction)")
    case .parameters(let fraction): options.append("params=\(fraction)")
    case .ratio(let ratio): options.append("ratio=\(ratio)")
    case .latency(let target, let threads):
      options.append("latency=\(target.text)")
      if let threads { options.append("threads=\(threads)") }
    }
    options.append("scope=\(usedScope.rawValue)")
    switch guards.alignment {
    case .auto: options.append("align=auto")
    case .multiple(let multiple): options.append("align=\(multiple)")
    }
    options.append("max-ratio=\(guards.maxRatio)")
    options.append("min-channels=\(guards.minChannels)")
    options += guards.only.map { "only=\($0.rawValue)" }
    options += guards.keep.map { "keep=\(Pipeline.quoted($0))" }
    options += guards.ratios.map { "ratio-for=\(Pipeline.quoted("\($0.pattern)=\($0.ratio)"))" }
    return options.joined(separator: " ")
  }
}
