@_exported import Passes

/// How removed channels are made up for.
public enum Compensation: String, Sendable, CaseIterable {
  case none
  /// Neuron merging; needs no data.
  case merge
}

/// What a user can ask of pruning.
public struct PruneOptions: Sendable {
  public var budget: Budget = .macs(0.5)
  public var scope: Scope = .global
  public var criterion: any ChannelCriterion = .l2
  public var compensation: Compensation = .merge
  public var guards = Guards()
  /// Which factor of a split axis is cut; where it is not given, what the kinds that are asked for need.
  public var direction: SplitDirection?
  public var seed = 0
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
    + "eliminate-dead-nodes)"

  /// The text of the pipeline that the options describe.
  public var pipelineText: String {
    if let pipeline { return pipeline }
    let score = "score-channels{criterion=\(criterion.name) seed=\(seed)}"
    let fold = "fold-batch-norm,eliminate-dead-nodes"
    var steps = [Self.preparation]
    steps += criterion.measuresNormalizations ? [score, fold] : [fold, score]
    steps.append("mask-channels{\(maskOptions)}")
    if compensation == .merge { steps.append("merge-neurons") }
    steps.append("shrink-channels")
    steps.append("fixpoint(eliminate-identities,fold-constants,eliminate-dead-nodes)")
    return steps.joined(separator: ",")
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
    options.append("scope=\(scope.rawValue)")
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
