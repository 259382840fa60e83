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
  public let macs: Int
  public let parameters: Int
  public let groups: [Group]
  public let warnings: [Diagnostic]

  private enum CodingKeys: String, CodingKey {
    case schemaVersion = "schema_version"
    case macs, parameters, groups
  }

  /// Analyses `model` in the form in which pruning would see it.
  ///
  /// Throws a malformed-model error where the model breaks a rule of its operators.
  public init(of model: Model, direction: SplitDirection) throws(CompileError) {
    var graph = try model.inPlainForm().graph
    var context = PassContext(original: graph)
    context.couplingOptions.direction = direction
    let originalFacts = try context.facts(of: graph)
    context.warnings += originalFacts.warnings
    context.warnings += ModelWarnings.unknownOperators(in: graph, originalFacts, severity: .warning)
    context.warnings += ModelWarnings.cost(of: graph, originalFacts)
    var manager = try PassManager(Pipeline(PruneOptions.preparation), registry: allPasses)
    try manager.run(on: &graph, &context)
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    let cutCost = CutCost(graph, facts, coupling)
    let whole = coupling.groups.map(\.count)
    let cost = Cost(of: graph, facts)
    macs = cost.macs
    parameters = cost.parameters
    warnings = context.warnings
    // In order of execution, which is how users know their model.
    var places: [String: Int] = [:]
    for (place, node) in graph.nodes.enumerated() {
      if case .node(let name, _) = graph.location(of: node) { places[name] = places[name] ?? place }
    }
    let order = coupling.groups.indices.sorted {
      (places[coupling.groups[$0].name] ?? .max, $0) < (
        places[coupling.groups[$1].name] ?? .max, $1
      )
    }
    groups = order.map { index in
      let group = coupling.groups[index]
      return Group(
        name: group.name, kind: group.kind, channels: group.count,
        parameters: cutCost.saving(.parameters, byKeeping: 0, ofGroup: index, from: whole),
        macs: cutCost.saving(.macs, byKeeping: 0, ofGroup: index, from: whole),
        pinned: group.pin?.description,
        members: group.members.map { member in
          Member(
            value: graph[member.axis.value].name, axis: member.axis.index,
            isInitializer: graph[member.axis.value].constant != nil,
            indicesPerChannel: member.multiplicity)
        })
    }
  }
}
