import PassKit

/// Measures what cutting each group alone does to the outputs, for `mask-channels{scope=individual}`.
///
/// The graph stays as it is; the table goes to the context. See `DamageMeasurement`.
public struct MeasureDamage: Pass {
  public static let name = "measure-damage"
  public static let summary = "measure what cutting each group alone does to the outputs"
  public static let effect = Effect.annotating

  public static let effort = PassOption(
    "effort", OptionSyntax<Effort>.choice, default: .normal,
    help: "How many samples and widths are tried: quick, normal or thorough.")
  public static let options: [any PassOptionDescription] = [CalibrationSets.option, Self.effort]

  private let data: String
  private let effort: Effort

  public init(options: inout OptionReader) throws(CompileError) {
    data = try options.value(CalibrationSets.option)
    effort = try options.value(Self.effort)
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let batches = try context.calibration.batches(named: data, for: Self.name)
    guard let scores = context.scores, let statistics = context.statistics else {
      preconditionFailure("no scores or statistics")
    }
    let measurement = DamageMeasurement(
      graph, try context.facts(of: graph), try context.coupling(of: graph), scores, statistics)
    let grid = measurement.grid(within: effort.macs)
    context.damage = try measurement.table(
      batches, indices: Self.indices(batches, holding: grid.samples), fractions: grid.fractions,
      progress: context.progress)
  }

  /// As many batches as hold about so many samples, spread over all.
  private static func indices(_ batches: some CalibrationBatches, holding samples: Int) -> [Int] {
    let all = max(1, batches.sampleCount)
    let count = min(batches.count, max(1, batches.count * samples / all))
    return (0..<count).map { $0 * batches.count / count }
  }
}
