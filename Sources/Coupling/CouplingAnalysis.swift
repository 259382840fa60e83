import PrunecGraphIR
import PrunecSemantics

/// Finds which channels of a graph live and die together.
///
/// The base is a union-find over the single indices of all axes (after DepGraph: Fang et al.,
/// "DepGraph: Towards Any Structural Pruning", CVPR 2023, which couples whole layers; indices make
/// concatenation, splitting, flattening and shuffling exact). Operators state relations between the
/// axes of their operands and results; this analysis knows nothing else of them. What no relation
/// mentions is pinned, and so is everything at a node that is not understood.
///
/// A split (a reshape that factors an axis, or a grouped convolution) can be cut along one factor at
/// a time. It is resolved once only one of its factors may still be cut. Where several may, the preferred
/// direction decides, one split after the other, so that the splits of one attention block agree; but
/// before the inner factor goes one that other layers make channels of (the inputs of a depthwise
/// convolution, rather than what each is multiplied into).
public struct CouplingAnalysis: Sendable {
  public struct Options: Hashable, Sendable {
    public var direction: SplitDirection

    public init(direction: SplitDirection = .inner) { self.direction = direction }
  }

  /// Groups that may be cut, in order of their first axis; then those that may not.
  public private(set) var groups: [ChannelGroup]
  /// For each element, the group and channel it belongs to; `nil` where it is pinned without being
  /// worth a group.
  private let table: AxisTable
  private let groupOfElement: [Int32]
  private let channelOfElement: [Int32]

  public init(of graph: Graph, _ facts: GraphFacts, options: Options = Options()) {
    var builder = CouplingBuilder(graph, facts, options)
    builder.run()
    let grouping = ChannelGrouping(&builder)
    groups = grouping.groups
    table = builder.table
    groupOfElement = grouping.groupOfElement
    channelOfElement = grouping.channelOfElement
    for (index, kind) in GroupKinds.all(graph, facts, self, builder.layers).enumerated() {
      groups[index].kind = kind
    }
    for (index, reason) in IndexMeaning.all(graph, facts, self, builder.layers) {
      groups[index].kind = .index
      groups[index].meaning = reason
    }
  }

  /// The group and the channel that index `index` of `axis` belongs to; `nil` where the axis has no
  /// fixed extent or the index belongs to no group.
  public func channel(of axis: Axis, index: Int) -> (group: Int, channel: Int)? {
    guard let slot = table.slot(axis) else { return nil }
    let group = Int(groupOfElement[slot.base + index])
    return group < 0 ? nil : (group, Int(channelOfElement[slot.base + index]))
  }

  /// The axes of a value that have a fixed extent.
  public func axes(of value: ValueID) -> [(axis: Axis, extent: Int)] {
    table.slots(of: value).map { ($0.axis, $0.extent) }
  }

  /// For every axis that loses indices when the `removed` channels of each group go: the indices
  /// that stay.
  public func keptIndices(removing removed: [Int: Set<Int>]) -> [Axis: [Int]] {
    var isRemoved = groups.map { [Bool](repeating: false, count: $0.count) }
    for (group, channels) in removed {
      for channel in channels { isRemoved[group][channel] = true }
    }
    func stays(_ element: Int) -> Bool {
      let group = Int(groupOfElement[element])
      return group < 0 || !isRemoved[group][Int(channelOfElement[element])]
    }
    var kept: [Axis: [Int]] = [:]
    var keptOfStrand: [Int: [Int]] = [:]
    for group in removed.keys.sorted() where !removed[group]!.isEmpty {
      for member in groups[group].members {
        guard let slot = table.slot(member.axis), kept[member.axis] == nil else { continue }
        let indices =
          keptOfStrand[slot.strand] ?? (0..<slot.extent).filter { stays(slot.base + $0) }
        keptOfStrand[slot.strand] = indices
        kept[member.axis] = indices
      }
    }
    return kept
  }
}

extension CouplingAnalysis {
  /// The extent of an axis, if it is fixed.
  public func extent(of axis: Axis) -> Int? {
    table.slot(axis)?.extent
  }

  /// A number that an axis shares with those that are equal to it, index by index, in what the nodes
  /// say; `nil` where its extent is not fixed.
  public func strand(of axis: Axis) -> Int? {
    table.slot(axis)?.strand
  }
}

extension CouplingAnalysis {
  /// Whether some index of the axis belongs to a group that may be cut.
  public func isCuttable(_ axis: Axis) -> Bool {
    guard let extent = extent(of: axis) else { return false }
    return (0..<extent).contains { index in
      channel(of: axis, index: index).map { groups[$0.group].pin == nil } ?? false
    }
  }
}
