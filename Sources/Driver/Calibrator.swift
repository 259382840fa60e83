import PrunecCalibration
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSelection
import PrunecSemantics

/// Collection of what pruning needs to know of samples, for a part of them: sums that add up to those of all parts, or damage
/// measured with them.
package struct Calibrator: Sendable {
  package private(set) var options: PruneOptions
  package let samples: any CalibrationBatches
  /// Receives the name of each pass before it runs.
  package var progress: (@Sendable (String) -> Void)?
  /// Receives how far the pass that runs has come, from 0 to 1.
  package var passProgress: (@Sendable (Double) -> Void)?

  /// Of the options those count that say what the model runs on: sample count, seed, direction, inputs; and for damage effort and
  /// criterion.
  package init(_ options: PruneOptions, _ samples: any CalibrationBatches) {
    (self.options, self.samples) = (options, samples)
    self.options.samples = .given
    self.options.scope = .individual
  }

  /// The pipeline that `statistics` or, with stored statistics, `damage` runs.
  package func pipelineText(measuringDamage: Bool) throws(CompileError) -> String {
    var options = options
    options.stored = StoredParts(statistics: measuringDamage)
    let steps = try measuringDamage ? options.measurement() : options.collection()
    return try Pipeline(steps.joined(separator: ",")).description
  }

  /// Runs `model` on the samples, in the form that pruning looks at, and sums up what it will need.
  ///
  /// Throws a malformed-model error where the model breaks a rule of its operators, a usage error for samples that do not fit it,
  /// and an unsupported error where it cannot be run.
  package func statistics(
    of model: Model
  ) throws(CompileError) -> (file: StatisticsFile, warnings: [Diagnostic]) {
    let (graph, context) = try run(model, nil)
    guard let layers = context.statistics, let heads = context.headMoments?.moments else {
      preconditionFailure("nothing has been collected")
    }
    let sums = layers.sums(in: graph).merging(heads.sums) { one, _ in one }
    guard !sums.isEmpty else {
      throw CompileError(.unsupported, "has no layer that reads channels which may be cut")
    }
    var names: [String: String] = [:]
    for (place, node) in graph.nodes.enumerated() {
      names[StatisticsSums.name(ofLayerAt: place)] = graph[node].name
    }
    let file = StatisticsFile(
      model: graph.fingerprint, settings: try settings(),
      contents: .sums(
        StatisticsSums(moments: sums, samples: layers.samples, inputTypes: layers.inputTypes)),
      layerNames: names)
    return (file, context.warnings)
  }

  /// Measures on the samples what cutting each group of `model` alone does, with the statistics of all parts.
  ///
  /// Throws as `statistics` does, and a usage error where `stored` does not fit.
  package func damage(
    of model: Model, with stored: StoredStatistics
  ) throws(CompileError) -> (file: StatisticsFile, warnings: [Diagnostic]) {
    let (graph, context) = try run(model, stored)
    var finished = context
    guard let table = context.damage else { preconditionFailure("nothing has been measured") }
    let damage = StoredDamage(
      table, try finished.coupling(of: graph), statistics: stored.identity,
      criterion: options.usedCriterion.name, effort: options.usedEffort)
    let file = StatisticsFile(
      model: stored.model, settings: stored.settings,
      contents: .damage(damage, samples: try SampleFingerprints.all(of: samples)))
    return (file, context.warnings)
  }

  private func settings() throws(CompileError) -> StoredStatistics.Settings {
    StoredStatistics.Settings(
      direction: try options.splitDirection(), rows: CollectStatistics.rows.defaultValue,
      samples: options.sampleCount, seed: options.seed)
  }

  private func run(
    _ model: Model, _ stored: StoredStatistics?
  ) throws(CompileError) -> (Graph, PassContext) {
    var graph = try model.inPlainForm().graph
    graph.unlistInitializers()
    var context = PassContext(original: graph)
    context.inputShapes = try options.inputs.inputShapes(for: graph)
    context.calibration[CalibrationSets.calibration] = samples
    context.stored[StoredStatistics.given] = stored
    context.progress = passProgress
    let facts = try context.facts(of: graph)
    context.warnings += facts.warnings
    context.warnings += ModelWarnings.unknownOperators(in: graph, facts, severity: .warning)
    let text = try pipelineText(measuringDamage: stored != nil)
    var manager = try PassManager(Pipeline(text), registry: allPasses)
    manager.progress = progress
    try manager.run(on: &graph, &context)
    return (graph, context)
  }
}
