import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit

/// Runs the graph on samples and keeps sums over what its layers read: second moments and means (`LayerStatistics`).
///
/// Of layers that read channels which may be cut; the graph stays as it is.
package struct CollectStatistics: Pass {
  package static let name = "collect-statistics"
  package static let summary = "sum up what layers read on samples"
  package static let effect = Effect.annotating

  private static let rows = PassOption(
    "rows", .integer(in: 1...1 << 30), default: LayerStatistics.rowLimit, valueName: "n",
    help: "Most positions of a layer's result that are looked at.")
  package static let seed = PassOption(
    "seed", .integer(in: 0...Int.max), default: 0, valueName: "n",
    help: "Seed of the choice of positions.")
  package static let options: [any PassOptionDescription] = [
    CalibrationSets.option, rows, Self.seed,
  ]

  private let data: String
  private let rowLimit: Int
  private let seed: Int

  package init(options: inout OptionReader) throws(CompileError) {
    data = try options.value(CalibrationSets.option)
    rowLimit = try options.value(Self.rows)
    seed = try options.value(Self.seed)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let batches = try context.calibration.batches(named: data, for: Self.name)
    let coupling = try context.coupling(of: graph)
    context.statistics = try LayerStatistics(
      of: graph, batches, rowLimit: rowLimit, seed: UInt64(seed),
      where: { layer in
        layer.form.inputAxes.contains { coupling.isCuttable(Axis(layer.layer.weight, $0)) }
      }, progress: context.progress)
  }
}
