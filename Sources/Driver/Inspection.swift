import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSelection
import PrunecSemantics

/// The groups of channels of a model, as `prunec inspect` shows them.
public struct Inspection: Sendable, Encodable {
  public struct Member: Sendable, Encodable {
    public let value: String
    public let axis: Int
    public let isInitializer: Bool
    public let indicesPerChannel: Int

    private enum CodingKeys: String, CodingKey {
      case value, axis
      case isInitializer = "is_initializer"
      case indicesPerChannel = "indices_per_channel"
    }
  }

  public struct Group: Sendable, Encodable {
    public let name: String
    public let kind: GroupKind
    public let channels: Int
    /// Parameters that would go if all channels of the group did.
    public let parameters: Int
    /// MACs that would go if all channels of the group did.
    public let macs: Int
    /// Why no channel may be removed.
    public let pinned: String?
    public let members: [Member]
  }

  public let schemaVersion = 1
  /// By name, the shapes of the inputs that MACs are counted for.
  public let inputShapes: [String: [Int]]
  public let macs: Int
  public let parameters: Int
  public let groups: [Group]
  public let warnings: [Diagnostic]

  private enum CodingKeys: String, CodingKey {
    case schemaVersion = "schema_version"
    case inputShapes = "input_shapes"
    case macs, parameters, groups
  }

  /// Analyses `model` in the form in which pruning would see it. Costs are counted for the shapes of `inputs`.
  ///
  /// Throws a malformed-model error where the model breaks a rule of its operators, and a usage error for inputs that do not
  /// fit it.
  public init(
    of model: Model, direction: SplitDirection, inputs: GivenInputs = GivenInputs()
  ) throws(CompileError) {
    var graph = try model.inPlainForm().graph
    graph.unlistInitializers()
    var context = PassContext(original: graph)
    context.couplingOptions.direction = direction
    context.inputShapes = try inputs.inputShapes(for: graph)
    inputShapes = context.inputShapes.extents
    let originalFacts = try context.facts(of: graph)
    context.warnings += originalFacts.warnings
    context.warnings += ModelWarnings.unknownOperators(in: graph, originalFacts, severity: .warning)
    context.warnings += ModelWarnings.cost(of: graph, originalFacts, context.inputShapes)
    // As the report of pruning has them: of the model as it is.
    let cost = Cost(of: graph, originalFacts, context.inputShapes)
    var manager = try PassManager(Pipeline(PruneOptions.preparation), registry: allPasses)
    try manager.run(on: &graph, &context)
    let facts = try context.facts(of: graph)
    context.warnings += ModelWarnings.uncutGraphs(in: graph, facts, severity: .warning)
    let coupling = try context.coupling(of: graph)
    let cutCost = CutCost(graph, facts, coupling, context.inputShapes)
    let whole = coupling.groups.map(\.count)
    macs = cost.macs
    parameters = cost.parameters
    warnings = context.warnings
    groups = coupling.groupsInOrder(of: graph).map { index in
      let group = coupling.groups[index]
      return Group(
        name: group.name, kind: group.kind, channels: group.count,
        parameters: cutCost.saving(.parameters, byKeeping: 0, ofGroup: index, from: whole),
        macs: cutCost.saving(.macs, byKeeping: 0, ofGroup: index, from: whole),
        pinned: (group.pin ?? group.meaning)?.description,
        members: group.members.map { member in
          Member(
            value: graph[member.axis.value].name, axis: member.axis.index,
            isInitializer: graph[member.axis.value].constant != nil,
            indicesPerChannel: member.multiplicity)
        })
    }
  }
}
