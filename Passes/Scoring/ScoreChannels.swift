import PrunecGraphIR
import PrunecPassKit
import PrunecSelection

/// Measures the importance of every channel that may be removed.
///
/// The scores go to the context; the graph stays as it is. See `Sources/Selection/Criteria` for the formulas
/// and their sources, and `ScoringInputs` for how the scores of coupled layers are put together.
package struct ScoreChannels: Pass {
  package static let name = "score-channels"
  package static let summary = "measure how important each channel is"
  package static let effect = Effect.annotating

  package static let criterion = PassOption(
    "criterion",
    OptionSyntax<any ChannelCriterion>(
      "one of " + allCriteria.map(\.name).joined(separator: ", "),
      parse: { name in allCriteria.first { $0.name == name } }, print: \.name),
    default: .l2,
    help: "Importance of a channel: "
      + allCriteria.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ") + ".")
  package static let seed = PassOption(
    "seed", .integer(in: 0...Int.max), default: 0, valueName: "n",
    help: "Seed of everything random.")
  package static let options: [any PassOptionDescription] = [
    Self.criterion, Self.seed, CalibrationSets.option,
  ]

  private let criterion: any ChannelCriterion
  private let seed: Int
  private let data: String

  package init(options: inout OptionReader) throws(CompileError) {
    criterion = try options.value(Self.criterion)
    seed = try options.value(Self.seed)
    data = try options.value(CalibrationSets.option)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    let samples =
      criterion.needsSamples ? try context.calibration.batches(named: data, for: Self.name) : nil
    context.scores = try ChannelScores(
      by: criterion,
      ScoringInputs(
        graph, facts, coupling, seed: UInt64(seed), statistics: context.statistics,
        samples: samples, rotatedPowers: context.rotatedPowers))
  }
}
