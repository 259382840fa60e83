import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit

/// Runs the graph on samples and keeps sums over what its layers read: second moments and means (`LayerStatistics`).
///
/// Of layers that read channels which may be cut, and of what attention heads match and mix (`HeadMoments`); the graph stays as it is.
/// With `stats` nothing is run: sums that were collected before are taken, which must be about this graph.
package struct CollectStatistics: Pass {
  package static let name = "collect-statistics"
  package static let summary = "sum up what layers read on samples"
  package static let effect = Effect.annotating

  package static let rows = PassOption(
    "rows", .integer(in: 1...1 << 30), default: LayerStatistics.rowLimit, valueName: "n",
    help: "Most positions of a layer's result that are looked at.")
  package static let seed = PassOption(
    "seed", .integer(in: 0...Int.max), default: 0, valueName: "n",
    help: "Seed of the choice of positions.")
  package static let samples = PassOption(
    "samples", .integer(in: 1...1 << 30), default: LayerStatistics.expectedSampleCount,
    valueName: "n",
    help: "Number of samples that the positions are shared out among, parts elsewhere included.")
  package static let heads = PassOption(
    "heads", .bool, default: true, valueName: "flag",
    help: "Sum up what attention heads match and mix as well, for rotate-heads.")
  package static let options: [any PassOptionDescription] = [
    CalibrationSets.option, StoredStatistics.option, rows, Self.samples, Self.seed, Self.heads,
  ]

  private let data: String
  private let stored: String?
  private let rowLimit: Int
  private let sampleCount: Int
  private let seed: Int
  private let hasHeads: Bool

  package init(options: inout OptionReader) throws(CompileError) {
    data = try options.value(CalibrationSets.option)
    stored = try options.value(StoredStatistics.option)
    rowLimit = try options.value(Self.rows)
    sampleCount = try options.value(Self.samples)
    seed = try options.value(Self.seed)
    hasHeads = try options.value(Self.heads)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    context.headMoments = nil
    if let stored { return try take(try context.stored(stored, for: Self.name), graph, &context) }
    let batches = try context.calibration.batches(named: data, for: Self.name)
    let coupling = try context.coupling(of: graph)
    var heads: HeadMoments?
    if hasHeads, let types = try batches.inputTypes() {
      heads = HeadMoments(try AttentionHeads(in: graph, inputTypes: types))
    }
    context.statistics = try LayerStatistics(
      of: graph, batches, rowLimit: rowLimit, sampleCount: sampleCount, seed: UInt64(seed),
      where: { layer in
        layer.form.inputAxes.contains { coupling.isCuttable(Axis(layer.layer.weight, $0)) }
      }, heads: &heads, progress: context.progress)
    context.headMoments = heads.map { ($0, graph.revision) }
  }

  /// Takes sums that were collected before.
  private func take(
    _ stored: StoredStatistics, _ graph: Graph, _ context: inout PassContext
  ) throws(CompileError) {
    try stored.check(graph, direction: context.couplingOptions.direction)
    let names = stored.parts.map(\.file).joined(separator: ", ")
    try CompileError.about(names) { () throws(CompileError) in
      context.statistics = try LayerStatistics(of: graph, stored.sums)
      guard hasHeads else { return }
      let heads = try AttentionHeads(in: graph, inputTypes: stored.sums.inputTypes)
      context.headMoments = (try HeadMoments(heads, stored.sums), graph.revision)
    }
  }
}
