import PrunecCalibration
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecPasses
import PrunecSelection
import PrunecSemantics
import PrunecTensors

/// Prunes a model: runs the pipeline, proves the result, and says what was done.
public struct Pruner: Sendable {
  public let options: PruneOptions
  /// What is printed, checked and stopped around the passes.
  public var managerOptions = PassManager.Options()
  /// The samples that passes look at.
  public var calibration: (any CalibrationBatches)?
  /// Samples that no pass looks at, on which the result is held against the original.
  public var heldBack: (any CalibrationBatches)?
  /// Statistics that were collected before, for `options.stored`.
  package var stored: StoredStatistics?
  /// Receives the name of each step before it starts.
  public var progress: (@Sendable (String) -> Void)?
  /// Receives how far the pass that runs has come, from 0 to 1.
  public var passProgress: (@Sendable (Double) -> Void)?
  /// Receives the name of a pass and the graph it left, for `managerOptions.printAfter`.
  public var print: (@Sendable (String, Graph) -> Void)?

  public init(_ options: PruneOptions) { self.options = options }

  /// Prunes `original`.
  ///
  /// Throws a usage error for a wrong pipeline and for inputs that do not fit the model, a malformed-model error where the model breaks a rule of
  /// its operators, an unsupported error for an operator that is not understood if the options are
  /// strict, and a failed check where a budget cannot be met or the proof fails.
  public func prune(_ original: Model) throws(CompileError) -> Result {
    var (result, warning) = try runningIfPossible(original) {
      (model, options) throws(CompileError) -> Result in
      try self.result(of: cut(self.measurement(of: model, options)))
    }
    if let warning { result.warnings.append(warning) }
    return result
  }

  /// Knowledge of `original` before any channel is chosen, which all budgets have in common.
  ///
  /// Throws as `prune` does, but for what concerns a budget.
  public func measure(_ original: Model) throws(CompileError) -> Measurement {
    var (measurement, warning) = try runningIfPossible(original) {
      (model, options) throws(CompileError) -> Measurement in
      try self.measurement(of: model, options)
    }
    if let warning { measurement.context.warnings.append(warning) }
    return measurement
  }

  /// Runs `body` on the model as passes take it, and without samples, which the diagnostic says, where it does not run on those
  /// that are made up.
  private func runningIfPossible<R>(
    _ original: Model, _ body: (Model, PruneOptions) throws(CompileError) -> R
  ) throws(CompileError) -> (R, Diagnostic?) {
    let model = try original.inPlainForm()
    var options = try settledOptions(for: model)
    do throws(CompileError) {
      return (try body(model, options), nil)
    } catch {
      // A model that cannot be run, or not on what is made up, can still be pruned by its weights.
      guard options.samples == .synthetic, [.unsupported, .malformed].contains(error.kind),
        !options.isStrict, !options.comparesOnSamples
      else { throw error }
      options.samples = .none
      return (
        try body(model, options),
        Diagnostic(
          .warning, "no samples could be made up: \(error.diagnostics[0].message)",
          at: error.diagnostics[0].location)
      )
    }
  }

  /// The text of the pipeline that `prune` runs on `original`.
  public func pipelineText(for original: Model) throws(CompileError) -> String {
    try settledOptions(for: try original.inPlainForm()).pipelineText()
  }

  private func settledOptions(for model: Model) throws(CompileError) -> PruneOptions {
    guard options.samples == .synthetic, options.pipeline == nil, !options.decidesByWeights else {
      return try options.settled(macs: 0)
    }
    let shapes = try options.inputs.inputShapes(for: model.graph)
    let known = try GraphFacts(of: model.graph)
    let sized = GraphFacts.sized(model.graph, known, by: shapes)
    let largest = model.graph.valueIDs.reduce(0) { largest, value in
      guard model.graph[value].constant == nil, let shape = sized[value].shape else {
        return largest
      }
      return max(largest, shape.map { $0.fixedExtent ?? 1 }.checkedElementCount ?? .max)
    }
    return try options.settled(
      macs: Cost(of: model.graph, known, shapes).macs, largestValue: largest)
  }

  private func measurement(
    of model: Model, _ options: PruneOptions
  ) throws(CompileError) -> Measurement {
    let stages = try options.stages()
    let severity: Diagnostic.Severity = options.isStrict ? .error : .warning
    var graph = model.graph
    let isListing = graph.initializers.contains { graph[$0].isListedAsInput }
    graph.unlistInitializers()
    var context = PassContext(original: graph)
    // Before IR version 4 the inputs had to list every initializer, which did not make them inputs.
    if isListing, model.irVersion >= 4 {
      context.warnings.append(
        Diagnostic(
          .warning, "weights listed among the inputs are taken as constants and no longer listed"))
    }
    context.calibration[CalibrationSets.calibration] = calibration
    context.stored[StoredStatistics.given] = stored
    context.inputShapes = try options.inputs.inputShapes(for: graph)
    context.progress = passProgress
    if options.samples == .synthetic {
      context.calibration[SampleSource.synthetic.rawValue] = try options.syntheticSamples(
        for: graph, context.inputShapes)
      if options.inputDistribution == nil {
        context.warnings += ModelWarnings.guessedDistributions(of: graph)
      }
    }
    let facts = try context.facts(of: graph)
    context.warnings += facts.warnings
    try warn(
      of: ModelWarnings.unknownOperators(in: graph, facts, severity: severity), &context)
    context.warnings += ModelWarnings.cost(of: graph, facts, context.inputShapes)

    var manager = try PassManager(stages[0], registry: allPasses, options: managerOptions)
    manager.progress = progress
    manager.print = print
    try manager.run(on: &graph, &context)
    try warn(
      of: ModelWarnings.uncutGraphs(in: graph, context.facts(of: graph), severity: severity),
      &context)
    return Measurement(
      model: model, options: options, graph: graph, context: context, manager: manager)
  }

  /// Adds warnings of what is not understood. Throws them as errors where the options are strict.
  private func warn(
    of diagnostics: [Diagnostic], _ context: inout PassContext
  ) throws(CompileError) {
    if options.isStrict, !diagnostics.isEmpty { throw CompileError(.unsupported, diagnostics) }
    context.warnings += diagnostics
  }

  /// Cuts a measured model to `budget`, or to that of the options.
  ///
  /// Throws a failed check where the budget cannot be met.
  public func cut(
    _ measurement: consuming Measurement, to budget: Budget? = nil
  ) throws(CompileError) -> Cut {
    var options = measurement.options
    options.budget = budget ?? options.budget
    return try cut(measurement, by: options.stages())
  }

  /// Cuts a measured model by the second of the stages of a pipeline.
  func cut(
    _ measurement: consuming Measurement, by stages: [Pipeline]
  ) throws(CompileError) -> Cut {
    let model = measurement.model
    var (graph, context) = (measurement.graph, measurement.context)
    var manager = measurement.manager
    // What passes let go of, statistics above all, is then held by nobody.
    _ = consume measurement
    try manager.proceed(to: stages[1])
    try manager.run(on: &graph, &context)
    return Cut(
      model: model, pipeline: Pipeline(stages.flatMap(\.steps)), graph: graph,
      context: context, manager: manager)
  }

  /// Closeness of a cut model to the original on the samples that there are; `nil` where there are none.
  public func agreement(of cut: Cut) throws(CompileError) -> AgreementReport? {
    let synthetic = cut.context.calibration[SampleSource.synthetic.rawValue]
    guard let samples = heldBack ?? calibration ?? synthetic else { return nil }
    progress?("compare with the original")
    let source: AgreementReport.Source =
      heldBack != nil ? .heldBack : (calibration != nil ? .calibration : .synthetic)
    return try AgreementReport(
      original: cut.model.graph, pruned: cut.graph, samples, source)
  }

  /// The reason for a check that has failed.
  ///
  /// Masks make zeros of channels, and zero times infinity is no number: with such weights the masked original may compute
  /// nothing where the small model does.
  private func explanation(of original: Graph) -> String {
    let culprit = original.initializers.first { id in
      guard let tensor = original[id].constant, tensor.elementType.isFloatingPoint else {
        return false
      }
      return !tensor.floats.allSatisfy(\.isFinite)
    }
    guard let culprit else { return "this is an error in prunec; no output has been written" }
    return
      "'\(original[culprit].name)' holds numbers that are infinite or NaN, which are no number times a masked channel; no output has been written"
  }

  /// Proves a cut model and says what was done.
  ///
  /// Throws a failed check where the proof fails.
  public func result(of cut: Cut) throws(CompileError) -> Result {
    let (model, graph) = (cut.model, cut.graph)
    var context = cut.context
    let check = check(cut.manager.claims, context)
    if let failure = check?.failure {
      throw CompileError(.checkFailed, failure, notes: [explanation(of: model.graph)])
    }
    if context.shrinkage?.keptIndices.isEmpty != false {
      context.warnings.append(Diagnostic(.warning, "no channel has been removed"))
    }
    if graph.nodes.contains(where: { graph[$0].operation.isMask }) {
      context.warnings.append(
        Diagnostic(
          .warning,
          "the result has masks; end the pipeline with lower-masks for runtimes to know them"))
    }
    if graph.nodes.contains(where: { graph[$0].operation == Merge.operation }) {
      context.warnings.append(
        Diagnostic(
          .warning,
          "the result has branches side by side; end the pipeline with sink-branches for runtimes to know them"
        ))
    }
    if let reason = check?.reasonNotRun {
      context.warnings.append(Diagnostic(.warning, "the result has not been checked: \(reason)"))
    }
    if let omission = check?.omission {
      context.warnings.append(
        Diagnostic(.warning, "the result has been checked but for \(omission)"))
    }
    var report = try PruneReport(
      original: model.graph, pruned: graph, cut.pipeline, context, cut.manager.records, check)
    report.agreement = try agreement(of: cut) ?? check?.agreement
    report.statistics = stored.map { StatisticsReport($0, cut.pipeline) }
    var prunedModel = model
    prunedModel.graph = graph
    dropDanglingNames(&prunedModel, &context)
    var maskedModel = model
    maskedModel.graph = context.maskedGraph ?? graph
    return Result(
      model: prunedModel, maskedWithMasks: maskedModel, report: report, original: model.graph,
      shrinkage: context.shrinkage, warnings: context.warnings)
  }

  private func check(
    _ claims: [PassManager.Claim], _ context: PassContext
  ) -> EquivalenceCheck? {
    guard options.check, !claims.isEmpty else { return nil }
    progress?("check")
    var context = context
    let check = EquivalenceCheck(
      claims, original: context.original, tolerance: options.tolerance,
      seed: UInt64(options.seed), inputs: options.inputs, shapes: context.inputShapes)
    // A model of which nothing has been cut need not run.
    return check.reasonNotRun != nil && !claims.contains(where: \.isShrunk) ? nil : check
  }

  /// Takes away what speaks of weights by name and would speak of others now.
  private func dropDanglingNames(_ model: inout Model, _ context: inout PassContext) {
    guard !model.graph.quantizationAnnotations.isEmpty || !model.trainingInfo.isEmpty else {
      return
    }
    model.graph.quantizationAnnotations = []
    model.trainingInfo = []
    context.warnings.append(
      Diagnostic(
        .warning, "quantization annotations and training information are left out of the result"))
  }
}
