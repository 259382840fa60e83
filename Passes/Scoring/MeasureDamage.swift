import PrunecCalibration
import PrunecGraphIR
import PrunecPassKit

/// Measures what cutting each group alone does to the outputs, for `mask-channels{scope=individual}`.
///
/// The graph stays as it is; the table goes to the context. See `DamageMeasurement`. With `stats` it is one that was measured before.
package struct MeasureDamage: Pass {
  package static let name = "measure-damage"
  package static let summary = "measure what cutting each group alone does to the outputs"
  package static let effect = Effect.annotating

  package static let effort = PassOption(
    "effort", OptionSyntax<Effort>.choice, default: .normal,
    help: "How many samples and widths are tried: quick, normal or thorough.")
  package static let options: [any PassOptionDescription] = [
    CalibrationSets.option, StoredStatistics.option, Self.effort,
  ]

  private let data: String
  private let stored: String?
  private let effort: Effort

  package init(options: inout OptionReader) throws(CompileError) {
    data = try options.value(CalibrationSets.option)
    stored = try options.value(StoredStatistics.option)
    effort = try options.value(Self.effort)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    if let stored {
      guard let damage = try context.stored(stored, for: Self.name).damage else {
        throw CompileError(.usage, "the stored statistics hold no damage")
      }
      context.damage = try damage.table(try context.coupling(of: graph))
      return
    }
    let batches = try context.calibration.batches(named: data, for: Self.name)
    guard let scores = context.scores, let statistics = context.statistics else {
      preconditionFailure("no scores or statistics")
    }
    let measurement = DamageMeasurement(
      graph, try context.facts(of: graph), try context.coupling(of: graph), scores, statistics)
    let grid = measurement.grid(within: effort.macs, context.inputShapes)
    context.damage = try measurement.table(
      SampleSubset(batches, count: grid.samples, for: graph), fractions: grid.fractions,
      progress: context.progress)
  }
}
