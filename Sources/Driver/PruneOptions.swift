@_exported import Passes

/// How removed channels are made up for.
public enum Compensation: String, Sendable, CaseIterable {
  case none
  /// Neuron merging; needs no data.
  case merge
  /// Least squares on what layers really read, layer by layer; needs samples.
  case reconstruct
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
  /// Whether there are samples to run the model on.
  public var hasSamples = false
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
    let criterion = self.criterion ?? (hasSamples ? .obs : .l2)
    let compensation = self.compensation ?? (hasSamples ? .reconstruct : .merge)
    let score = "score-channels{criterion=\(criterion.name) seed=\(seed)}"
    let fold = "fold-batch-norm,eliminate-dead-nodes"
    var steps = [Self.preparation]
    if criterion.measuresNormalizations { steps += [score, fold] } else { steps.append(fold) }
    if criterion.needsStatistics { steps.append("rotate-heads") }
    if criterion.needsStatistics || usedScope == .individual { steps.append("collect-statistics") }
    if !criterion.measuresNormalizations { steps.append(score) }
    if usedScope == .individual { steps.append("measure-damage") }
    steps.append("mask-channels{\(maskOptions)}")
    switch compensation {
    case .none: break
    case .merge: steps.append("merge-neurons")
    case .reconstruct: steps.append("reconstruct-layers")
    }
    steps.append("shrink-channels")
    steps.append("fixpoint(eliminate-identities,fold-constants,eliminate-dead-nodes)")
    steps.append("merge-equal-vectors")
    return steps.joined(separator: ",")
  }

  /// A ratio and a time have no use for what single groups do to the outputs.
  private var usedScope: Scope {
    if let scope { return scope }
    switch budget {
    case .macs, .parameters: return hasSamples ? .individual : .global
    case .ratio, .latency: return .global
    }
  }

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
