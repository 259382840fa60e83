import PassKit

/// Runs the graph on samples and keeps sums over what its layers read: second moments and means (`LayerStatistics`).
///
/// Of layers that read channels which may be cut; the graph stays as it is.
///
/// Options: `data` (the key of the samples, default calibration), `rows` (positions of a layer's result that are looked at,
/// default 60000), `seed` of their choice.
public struct CollectStatistics: Pass {
  public static let name = "collect-statistics"
  public static let summary = "sum up what layers read on samples"
  public static let effect = Effect.annotating

  private let data: String
  private let rowLimit: Int
  private let seed: Int

  public init(options: inout OptionReader) throws(CompileError) {
    data = options.string("data") ?? CalibrationSets.calibration
    rowLimit = try options.int("rows", in: 1...1 << 30) ?? LayerStatistics.rowLimit
    seed = try options.int("seed", in: 0...Int.max) ?? 0
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let batches = try context.calibration.batches(named: data, for: Self.name)
    let coupling = try context.coupling(of: graph)
    context.statistics = try LayerStatistics(
      of: graph, batches, rowLimit: rowLimit, seed: UInt64(seed),
      where: { layer in
        layer.layer.inputAxis.map { coupling.isCuttable(Axis(layer.layer.weight, $0)) } ?? false
      }, progress: context.progress)
  }
}
