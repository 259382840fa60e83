import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSelection
import PrunecSemantics

/// Effect of cutting each group of channels alone on the outputs of a model, as `prunec sensitivity` shows it.
public struct Sensitivity: Sendable, Encodable {
  /// A measurement.
  public struct Point: Sendable, Encodable {
    /// Number of channels kept.
    public let kept: Int
    /// Mean divergence of the outputs from the original's (`OutputDivergence`).
    public let divergence: Double
  }

  public struct Group: Sendable, Encodable {
    public let name: String
    public let kind: GroupKind
    public let channels: Int
    /// MACs that would go if all channels of the group did.
    public let macs: Int
    /// Decreasing in the channels kept, from all of them. Widths at which the model cannot be cut are missing.
    public let points: [Point]

    /// The measurement at a fraction of the channels, to the nearest channel; `nil` where there is none.
    public func divergence(keeping fraction: Double) -> Double? {
      let kept = DamageTable.kept(fraction, of: channels)
      return points.first { $0.kept == kept }?.divergence
    }
  }

  public let schemaVersion = 1
  /// By name, the shapes of the inputs that MACs are counted for.
  public let inputShapes: [String: [Int]]
  public let macs: Int
  /// Number of samples that the outputs were compared on, and where those come from.
  public let samples: Int
  public let source: AgreementReport.Source
  /// Fractions of the channels at which groups were measured, decreasing.
  public let fractions: [Double]
  /// The groups that may be cut, in order of execution.
  public let groups: [Group]
  public let warnings: [Diagnostic]

  private enum CodingKeys: String, CodingKey {
    case schemaVersion = "schema_version"
    case inputShapes = "input_shapes"
    case macs, samples, source, fractions, groups
  }

  /// Measures the groups of `model` as pruning by `options` would, on `calibration`, or on samples that are made up where there
  /// are none. Of the options those count that say what the model runs on: samples, effort, seed, direction and inputs.
  /// `progress` receives the name of each pass before it runs, and `passProgress` how far it has come, from 0 to 1.
  ///
  /// Throws a malformed-model error where the model breaks a rule of its operators, a usage error for samples and inputs that do
  /// not fit it, and an unsupported error where it cannot be run.
  package init(
    of model: Model, _ options: PruneOptions, calibration: (any CalibrationBatches)?,
    stored: StoredStatistics? = nil,
    progress: (@Sendable (String) -> Void)? = nil,
    passProgress: (@Sendable (Double) -> Void)? = nil
  ) throws(CompileError) {
    var options = options
    if stored != nil, stored?.damage == nil, calibration == nil {
      throw CompileError(
        .usage, "the stored statistics hold no damage, and there are no samples to measure it on",
        notes: ["say --calibration"])
    }
    options.samples = calibration == nil ? (stored == nil ? .synthetic : .none) : .given
    options.criterion = BrainSurgeon()
    options.scope = .individual
    let pipeline = try Pipeline(options.measurement().joined(separator: ","))
    var graph = try model.inPlainForm().graph
    graph.unlistInitializers()
    var context = PassContext(original: graph)
    context.inputShapes = try options.inputs.inputShapes(for: graph)
    context.progress = passProgress
    inputShapes = context.inputShapes.extents
    let facts = try context.facts(of: graph)
    context.warnings += facts.warnings
    context.warnings += ModelWarnings.unknownOperators(in: graph, facts, severity: .warning)
    context.warnings += ModelWarnings.cost(of: graph, facts, context.inputShapes)
    macs = Cost(of: graph, facts, context.inputShapes).macs
    context.calibration[options.samples.rawValue] = calibration
    context.stored[StoredStatistics.given] = stored
    if options.samples == .synthetic {
      context.calibration[options.samples.rawValue] = try options.syntheticSamples(
        for: graph, context.inputShapes)
    }
    source = options.samples == .synthetic ? .synthetic : .calibration

    var manager = try PassManager(pipeline, registry: allPasses)
    manager.progress = progress
    try manager.run(on: &graph, &context)
    guard let damage = context.damage else { preconditionFailure("nothing has been measured") }
    (samples, fractions) = (damage.sampleCount, damage.fractions)
    warnings = context.warnings
    let coupling = try context.coupling(of: graph)
    let cost = CutCost(graph, try context.facts(of: graph), coupling, context.inputShapes)
    let whole = coupling.groups.map(\.count)
    groups = coupling.groupsInOrder(of: graph).compactMap { index in
      let group = coupling.groups[index]
      guard group.pin == nil, let curve = damage[group] else { return nil }
      return Group(
        name: group.name, kind: group.kind, channels: group.count,
        macs: cost.saving(.macs, byKeeping: 0, ofGroup: index, from: whole),
        points: curve.points.map { Point(kept: $0.kept, divergence: $0.divergence) })
    }
  }
}
