import PassKit

/// Measures what cutting each group alone does to the outputs, for `mask-channels{scope=individual}`.
///
/// The graph stays as it is; the table goes to the context. See `DamageMeasurement`.
///
/// Options: `data` (the key of the samples, default calibration), `samples` (how many of them, about; default 128).
public struct MeasureDamage: Pass {
  public static let name = "measure-damage"
  public static let summary = "measure what cutting each group alone does to the outputs"
  public static let effect = Effect.annotating

  private let data: String
  private let sampleLimit: Int

  public init(options: inout OptionReader) throws(CompileError) {
    data = options.string("data") ?? CalibrationSets.calibration
    sampleLimit = try options.int("samples", in: 1...1 << 30) ?? 128
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let batches = try context.calibration.batches(named: data, for: Self.name)
    guard let scores = context.scores, let statistics = context.statistics else {
      preconditionFailure("no scores or statistics")
    }
    let measurement = DamageMeasurement(
      graph, try context.facts(of: graph), try context.coupling(of: graph), scores, statistics)
    context.damage = try measurement.table(
      batches, indices: indices(batches), progress: context.progress)
  }

  /// As many batches as hold the samples, spread over all.
  private func indices(_ batches: some CalibrationBatches) -> [Int] {
    let samples = max(1, batches.sampleCount)
    let count = min(batches.count, max(1, batches.count * sampleLimit / samples))
    return (0..<count).map { $0 * batches.count / count }
  }
}
