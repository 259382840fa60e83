import PrunecCoupling
import PrunecGraphIR

/// A measure of how important channels are. Each is a file of its own in `Criteria`; `allCriteria` lists
/// them.
public protocol ChannelCriterion: Sendable {
  /// The name by which users choose it.
  var name: String { get }
  /// One line for `--help`: what is measured.
  var summary: String { get }
  /// Whether batch normalizations are measured, which folding takes away: such a criterion has to score
  /// before `fold-batch-norm`.
  var measuresNormalizations: Bool { get }
  /// Whether the criterion looks at what layers read on samples.
  var needsStatistics: Bool { get }
  /// Whether the criterion runs the model on samples itself.
  var needsSamples: Bool { get }

  /// The scores of each group of `inputs.coupling`, one for each channel: the higher, the more important,
  /// comparable across groups. `nil` where a group is pinned or has nothing that could be measured.
  ///
  /// Throws a usage error where the criterion cannot be used on such a model at all.
  func scores(for inputs: ScoringInputs) throws(CompileError) -> [[Float]?]
}

extension ChannelCriterion {
  public var measuresNormalizations: Bool { false }
  public var needsStatistics: Bool { false }
  public var needsSamples: Bool { false }
}

extension ChannelScores {
  /// Scores the channels of all groups that are not pinned by `criterion`. A group in which nothing could be
  /// measured gets the mean of all others, one.
  ///
  /// Throws a usage error where the criterion cannot be used on such a model.
  package init(
    by criterion: any ChannelCriterion, _ inputs: ScoringInputs
  ) throws(CompileError) {
    self.init(criterion: criterion.name)
    let scores = try criterion.scores(for: inputs)
    for (group, measured) in zip(inputs.coupling.groups, scores) where group.pin == nil {
      set(
        measured ?? [Float](repeating: 1, count: group.count), for: group, in: inputs.coupling)
    }
  }
}
