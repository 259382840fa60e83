/// Prunes a model: runs the pipeline, proves the result, and says what was done.
public struct Pruner: Sendable {
  public let options: PruneOptions
  /// What is printed, checked and stopped around the passes.
  public var managerOptions = PassManager.Options()
  /// Receives the name of each step before it starts.
  public var progress: (@Sendable (String) -> Void)?
  /// Receives the name of a pass and the graph it left, for `managerOptions.printAfter`.
  public var print: (@Sendable (String, Graph) -> Void)?

  public init(_ options: PruneOptions) { self.options = options }

  /// What pruning gives.
  public struct Result: Sendable {
    /// The small model.
    public let model: Model
    /// The original with the removed channels masked, in standard operators.
    public let masked: Model
    public internal(set) var report: PruneReport
    public let plan: SlicingPlan
    public let warnings: [Diagnostic]
  }

  /// Prunes `model`.
  ///
  /// Throws a usage error for a wrong pipeline, a malformed-model error where the model breaks a rule of
  /// its operators, an unsupported error for an operator that is not understood if the options are
  /// strict, and a failed check where a budget cannot be met or the proof fails.
  public func prune(_ model: Model) throws(CompileError) -> Result {
    var graph = model.graph
    // Before IR version 4 the inputs had to list every initializer, which did not make them inputs.
    if model.irVersion < 4 { graph.unlistInitializers() }
    var context = PassContext(original: graph)
    context.couplingOptions.direction = options.direction
    let facts = try context.facts(of: graph)
    context.warnings += facts.warnings
    try reportUnknownOperators(graph, facts, &context)

    var manager = try PassManager(
      Pipeline(options.pipelineText), registry: allPasses, options: managerOptions)
    manager.progress = progress
    manager.print = print
    try manager.run(on: &graph, &context)

    let check = check(graph, context)
    if let check, let comparison = check.comparison, comparison.maxRelative > options.tolerance {
      throw CompileError(
        .checkFailed,
        "the pruned model does not compute what the masked original does: relative error "
          + "\(comparison.maxRelative)",
        notes: ["this is an error in prunec; no output has been written"])
    }
    if let reason = check?.reasonNotRun {
      context.warnings.append(Diagnostic(.warning, "the result has not been checked: \(reason)"))
    }
    let report = try PruneReport(
      original: model.graph, pruned: graph, options, context, manager.records, check)
    var prunedModel = model
    prunedModel.graph = try lowered(graph)
    var maskedModel = model
    maskedModel.graph = try lowered(context.maskedGraph ?? graph)
    return Result(
      model: prunedModel, masked: maskedModel, report: report,
      plan: SlicingPlan(original: model.graph, context), warnings: context.warnings)
  }

  private func reportUnknownOperators(
    _ graph: Graph, _ facts: GraphFacts, _ context: inout PassContext
  ) throws(CompileError) {
    var unknown: [Diagnostic] = []
    var seen: Set<String> = []
    for id in graph.nodes {
      guard case .notUnderstood(let because) = facts.resolution(of: id),
        options.isStrict || seen.insert(because).inserted
      else { continue }
      unknown.append(
        Diagnostic(
          options.isStrict ? .error : .warning, because, at: graph.location(of: id),
          notes: options.isStrict ? [] : ["what it touches is not pruned"]))
    }
    if options.isStrict, !unknown.isEmpty { throw CompileError(.unsupported, unknown) }
    context.warnings += unknown
  }

  /// The graph in standard operators: with masks, where a pipeline has left some, that any runtime can
  /// execute.
  private func lowered(_ graph: Graph) throws(CompileError) -> Graph {
    var lowered = graph
    var context = PassContext(original: graph)
    var manager = try PassManager(Pipeline("lower-masks"), registry: allPasses)
    try manager.run(on: &lowered, &context)
    return lowered
  }

  private func check(_ graph: Graph, _ context: PassContext) -> EquivalenceCheck? {
    guard options.check, let masked = context.maskedGraph else { return nil }
    progress?("check")
    return EquivalenceCheck(graph, expected: masked, seed: UInt64(options.seed))
  }
}

extension Pruner.Result {
  /// Tells the report the sizes of the files.
  public mutating func setSizes(before: Int, after: Int) {
    report.before.bytes = before
    report.after.bytes = after
  }
}
