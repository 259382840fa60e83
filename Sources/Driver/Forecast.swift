import PrunecCalibration
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSelection

/// Forecast of pruning: the channels that would be cut, and the cost of the steps that run the model.
public struct Forecast: Sendable, Encodable {
  /// A step that runs the model on samples.
  public struct Step: Sendable, Encodable {
    public let name: String
    /// Multiply-accumulate operations of the model's runs, about.
    public let macs: Int
    /// The time that it took, or would take; `nil` where nothing is known of it.
    public let seconds: Double?
    /// Whether the step has been left out, so that the time is an estimate.
    public let isEstimate: Bool

    private enum CodingKeys: String, CodingKey {
      case name, macs, seconds
      case isEstimate = "is_estimate"
    }
  }

  /// The pipeline of which this is a forecast.
  public let pipeline: String
  public let before, after: PruneReport.Size
  public let groups: [PruneReport.Group]
  public let steps: [Step]
  public let warnings: [Diagnostic]

  private enum CodingKeys: String, CodingKey { case pipeline, before, after, groups, steps }
}

extension Pruner {
  /// Time of fitting the layers relative to that of collecting statistics, which runs one network and not two, and sums up half as
  /// much. On six networks it was between 1.0 and 1.9.
  private static let fittingShare = 1.5

  /// Does what pruning `original` does up to the choice of channels, and leaves out the fit of the layers and the proof.
  ///
  /// Throws as `prune` does. In several iterations the later ones look at layers that have not been fitted.
  public func forecast(_ original: Model) throws(CompileError) -> Forecast {
    let measurement = try measure(original)
    let stages = try measurement.options.stages()
    let cutting = stages[1].steps.filter { step in
      guard case .pass(ReconstructLayers.name, _, _) = step else { return true }
      return false
    }
    let cut = try cut(measurement, by: [stages[0], Pipeline(cutting)])
    let report = try PruneReport(
      original: cut.model.graph, pruned: cut.graph, cut.pipeline, cut.context, cut.manager.records,
      nil)
    let pipeline = Pipeline(stages.flatMap(\.steps))
    return Forecast(
      pipeline: pipeline.description, before: report.before, after: report.after,
      groups: report.groups,
      steps: try steps(
        report, cut, measurement.context.damage, fits: stages[1].steps.count - cutting.count),
      warnings: cut.context.warnings)
  }

  private func steps(
    _ report: PruneReport, _ cut: Cut, _ damage: DamageTable?, fits: Int
  ) throws(CompileError) -> [Forecast.Step] {
    let synthetic = cut.context.calibration[SampleSource.synthetic.rawValue]
    guard let samples = (calibration ?? synthetic)?.sampleCount else { return [] }
    let (before, after) = (Double(report.before.macs), Double(report.after.macs))
    func step(_ name: String, _ macs: Double, _ seconds: Double?, isEstimate: Bool) -> Forecast.Step
    {
      Forecast.Step(
        name: name, macs: Int(exactly: macs.rounded()) ?? .max, seconds: seconds,
        isEstimate: isEstimate)
    }
    var steps: [Forecast.Step] = []
    for record in cut.manager.records {
      switch record.pass {
      case SeekClasses.name where cut.context.searchRuns > 0:
        steps.append(
          step(
            record.pass, before * Double(cut.context.searchRuns), record.seconds, isEstimate: false)
        )
      case CollectStatistics.name where !options.stored.statistics:
        steps.append(
          step(record.pass, before * Double(samples), record.seconds, isEstimate: false))
      case MeasureDamage.name where !options.stored.damage:
        steps.append(
          step(record.pass, before * measuredRuns(damage), record.seconds, isEstimate: false))
      default: break
      }
    }
    guard fits > 0 else { return steps }
    let collecting = steps.first { $0.name == CollectStatistics.name }?.seconds
    steps.append(
      step(
        ReconstructLayers.name, Double(fits * samples) * (before + after),
        collecting.map { Self.fittingShare * Double(fits) * $0 }, isEstimate: true))
    return steps
  }

  /// Number of runs of the whole model that the runs of cut ones are worth: each begins where the cut does, half way through on
  /// average, and does three quarters of the work there.
  private func measuredRuns(_ damage: DamageTable?) -> Double {
    guard let damage else { return 0 }
    return 0.375 * Double(damage.sampleCount * damage.measurementCount)
  }
}
