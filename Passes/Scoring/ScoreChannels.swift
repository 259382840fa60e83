import PassKit

/// Measures the importance of every channel that may be removed.
///
/// Options: `criterion` (l1, l2, fpgm, bn-scale, random; default l2), `seed` for random. The scores go
/// to the context; the graph stays as it is. See `Criterion` for the formulas and their sources, and
/// `GroupScoring` for how the scores of coupled layers are put together.
public struct ScoreChannels: Pass {
  public static let name = "score-channels"
  public static let summary = "measure how important each channel is"
  public static let effect = Effect.annotating

  private let criterion: Criterion
  private let seed: Int

  public init(options: inout OptionReader) throws(CompileError) {
    criterion = try options.choice("criterion", Criterion.self) ?? .l2
    seed = try options.int("seed", in: 0...Int.max) ?? 0
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    context.scores = try GroupScoring(
      graph, facts, coupling, criterion: criterion, seed: UInt64(seed)
    ).scores()
  }
}
