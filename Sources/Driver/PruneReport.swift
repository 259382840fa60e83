import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics

/// What pruning did, for people and for programs.
public struct PruneReport: Sendable, Encodable {
  public struct Size: Sendable, Encodable {
    public var macs: Int
    public var parameters: Int
    /// Size of the model on disk with its external data; of its constants where there is no file.
    public var bytes: Int
    public var nodes: Int
  }

  public struct Group: Sendable, Encodable {
    public let name: String
    public let kind: GroupKind
    public let channelsBefore: Int
    public let channelsAfter: Int
    /// Why no channel may be removed.
    public let pinned: String?

    private enum CodingKeys: String, CodingKey {
      case name, kind
      case channelsBefore = "channels_before"
      case channelsAfter = "channels_after"
      case pinned
    }
  }

  public struct Layer: Sendable, Encodable {
    public let name: String
    public let `operator`: String
    public let channelsBefore: Int
    public let channelsAfter: Int

    private enum CodingKeys: String, CodingKey {
      case name
      case `operator`
      case channelsBefore = "channels_before"
      case channelsAfter = "channels_after"
    }
  }

  public struct Check: Sendable, Encodable {
    /// `passed`, `skipped` (not asked for) or `impossible` (an operator could not be run).
    public let status: String
    /// Why it was not possible.
    public let reason: String?
    /// What a check that was passed had to leave out.
    public let omission: String?
    /// Number of nodes that round, compare, sort or choose between which the graphs were compared.
    public let discontinuities: Int?
    public let maxAbsolute: Double?
    public let maxRelative: Double?
    public let seconds: Double?

    private enum CodingKeys: String, CodingKey {
      case status
      case reason
      case omission
      case discontinuities
      case maxAbsolute = "max_absolute"
      case maxRelative = "max_relative"
      case seconds
    }
  }

  public struct Pass: Sendable, Encodable {
    public let name: String
    public let seconds: Double
    public let nodesBefore: Int
    public let nodesAfter: Int

    private enum CodingKeys: String, CodingKey {
      case name
      case seconds
      case nodesBefore = "nodes_before"
      case nodesAfter = "nodes_after"
    }
  }

  public let schemaVersion = 1
  public let pipeline: String
  /// By name, the shapes of the inputs that MACs are counted for.
  public let inputShapes: [String: [Int]]
  public var before: Size
  public var after: Size
  /// Closeness of the result to the original on samples, where there are any.
  public internal(set) var agreement: AgreementReport?
  /// Statistics that were collected before, where they are given.
  public internal(set) var statistics: StatisticsReport?
  /// Accuracy before and after, where labelled samples are given.
  public internal(set) var accuracy: AccuracyReport?
  /// The search for the budget, where the loss is bounded.
  public internal(set) var bound: BoundReport?
  /// Where the budget is a size of memory.
  public let memory: MemoryReport?
  /// Where the budget is a time.
  public let latency: LatencyReport?
  public let groups: [Group]
  public let layers: [Layer]
  public let check: Check
  public let passes: [Pass]
  public let warnings: [String]

  private enum CodingKeys: String, CodingKey {
    case schemaVersion = "schema_version"
    case inputShapes = "input_shapes"
    case pipeline, before, after, agreement, statistics, accuracy, bound, memory, latency, groups,
      layers, check, passes, warnings
  }

  init(
    original: Graph, pruned: Graph, _ pipeline: Pipeline, _ context: PassContext,
    _ records: [PassManager.Record], _ check: EquivalenceCheck?
  ) throws(CompileError) {
    var context = context
    let originalFacts = try GraphFacts(of: original)
    let prunedFacts = try context.facts(of: pruned)
    self.pipeline = pipeline.description
    inputShapes = context.inputShapes.extents
    before = Self.size(original, originalFacts, context.inputShapes)
    after = Self.size(pruned, prunedFacts, context.inputShapes)
    memory = context.memory
    latency = context.latency
    passes = records.map {
      Pass(
        name: $0.pass, seconds: $0.seconds, nodesBefore: $0.nodesBefore, nodesAfter: $0.nodesAfter)
    }
    warnings = context.warnings.map { $0.rendered(file: nil) }
    self.check =
      if let check {
        Check(
          status: check.comparison == nil ? "impossible" : "passed", reason: check.reasonNotRun,
          omission: check.omission,
          discontinuities: check.discontinuityCount > 0 ? check.discontinuityCount : nil,
          maxAbsolute: check.comparison?.maxAbsolute,
          maxRelative: check.comparison?.maxRelative,
          seconds: check.seconds)
      } else {
        Check(
          status: "skipped", reason: nil, omission: nil, discontinuities: nil, maxAbsolute: nil,
          maxRelative: nil,
          seconds: nil)
      }
    groups = try Self.groups(context, pruned)
    layers =
      Self.layers(original: original, originalFacts, pruned: pruned, prunedFacts)
      + (try Self.layersInBranches(of: pruned, context))
  }

  private static func size(
    _ graph: Graph, _ facts: GraphFacts, _ shapes: InputShapes
  ) -> Size {
    let cost = Cost(of: graph, facts, shapes)
    return Size(
      macs: cost.macs, parameters: cost.parameters, bytes: cost.bytes, nodes: graph.nodeCount)
  }

  private static func groups(
    _ context: PassContext, _ pruned: Graph
  ) throws(CompileError) -> [Group] {
    var context = context
    let masked = context.uncutGraph ?? pruned
    let coupling = try context.coupling(of: masked)
    let kept = context.shrinkage?.keptIndices ?? [:]
    return coupling.groups.map { group in
      let after =
        group.members.lazy.compactMap { member -> Int? in
          guard let indices = kept[member.axis] else { return nil }
          let stays = Set(indices)
          return (0..<group.count).count { channel in
            member.indices(ofChannel: channel).allSatisfy { stays.contains(Int($0)) }
          }
        }.first ?? group.count
      return Group(
        name: group.name, kind: group.kind, channelsBefore: group.count, channelsAfter: after,
        pinned: (group.pin ?? group.meaning)?.description)
    }
  }

  /// Layers that only one branch of an If executes: they are nodes of the masked graph, and of none of the other two.
  private static func layersInBranches(
    of pruned: Graph, _ context: PassContext
  ) throws(CompileError) -> [Layer] {
    guard pruned.nodes.contains(where: { !pruned[$0].captures.isEmpty }),
      let masked = context.maskedGraph, let shrinkage = context.shrinkage
    else { return [] }
    let facts = try GraphFacts(of: masked)
    return LinearLayer.all(in: masked, facts).compactMap { layer in
      guard pruned.node(layer.node) == nil,
        let before = facts[layer.result].shape?[layer.resultAxis].fixedExtent,
        case .node(let name, let operation) = masked.location(of: layer.node)
      else { return nil }
      let kept = shrinkage.keptIndices[Axis(layer.result, layer.resultAxis)]
      return Layer(
        name: name, operator: operation, channelsBefore: before,
        channelsAfter: kept?.count ?? before)
    }
  }

  private static func layers(
    original: Graph, _ originalFacts: GraphFacts, pruned: Graph, _ prunedFacts: GraphFacts
  ) -> [Layer] {
    LinearLayer.all(in: pruned, prunedFacts).compactMap { layer in
      guard original.node(layer.node) != nil,
        let before = originalFacts[layer.result].shape?[layer.resultAxis].fixedExtent,
        let after = prunedFacts[layer.result].shape?[layer.resultAxis].fixedExtent,
        case .node(let name, let operation) = pruned.location(of: layer.node)
      else { return nil }
      return Layer(
        name: name, operator: operation, channelsBefore: before, channelsAfter: after)
    }
  }
}
