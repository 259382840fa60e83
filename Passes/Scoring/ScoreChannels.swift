import PassKit

/// Measures the importance of every channel that may be removed.
///
/// Options: `criterion` (the name of one of `allCriteria`; default l2), `seed` of what is random. The scores
/// go to the context; the graph stays as it is. See `Sources/Selection/Criteria` for the formulas and their
/// sources, and `ScoringInputs` for how the scores of coupled layers are put together.
public struct ScoreChannels: Pass {
  public static let name = "score-channels"
  public static let summary = "measure how important each channel is"
  public static let effect = Effect.annotating

  private let criterion: any ChannelCriterion
  private let seed: Int

  public init(options: inout OptionReader) throws(CompileError) {
    criterion = try Self.criterion(from: &options) ?? .l2
    seed = try options.int("seed", in: 0...Int.max) ?? 0
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    context.scores = try ChannelScores(
      by: criterion,
      ScoringInputs(
        graph, facts, coupling, seed: UInt64(seed), statistics: context.statistics,
        rotatedPowers: context.rotatedPowers))
  }

  private static func criterion(
    from options: inout OptionReader
  ) throws(CompileError) -> (any ChannelCriterion)? {
    guard let text = options.string("criterion") else { return nil }
    guard let criterion = allCriteria.first(where: { $0.name == text }) else {
      let names = allCriteria.map(\.name).joined(separator: ", ")
      throw options.error("criterion=\(text) is not one of \(names)")
    }
    return criterion
  }
}
