/// A node of the original graph that a node or a constant of a rewritten one stands for, with what
/// it was called there.
public struct NodeOrigin: Hashable, Sendable {
  /// The node of the original; later graphs may have lost it.
  public let node: NodeID
  public let name: String
  public let operation: OperationName
  /// The names of the node's results.
  public let results: [String]

  init(_ id: NodeID, in graph: Graph) {
    let node = graph[id]
    self.node = id
    name = node.name
    operation = node.operation
    results = node.outputs.compactMap { $0.map { graph[$0].name } }
  }

  /// The origin `other` under another ID.
  init(_ id: NodeID, calledAs other: NodeOrigin) {
    node = id
    name = other.name
    operation = other.operation
    results = other.results
  }

  /// The name, or that of the first result where there is none.
  public var label: String { name.isEmpty ? results.first ?? "" : name }

  /// How diagnostics speak of the node.
  public var location: Location { .node(name: label, operation: operation.description) }
}

/// An axis of a constant of the original graph, with the name of that constant.
public struct AxisOrigin: Hashable, Sendable {
  public let axis: Axis
  public let name: String
}

extension Graph {
  // MARK: What stands for what

  /// The nodes of the original that a node stands for: those that it was built for, those that have
  /// been merged into it, or the node itself.
  public func origins(of id: NodeID) -> [NodeOrigin] {
    let origins = self[id].origins
    return origins.isEmpty ? [NodeOrigin(id, in: self)] : origins
  }

  /// The axes of constants of the original that an axis of a constant stands for: what is cut from
  /// this axis is to be cut from those. A constant of the original stands for itself, and for those
  /// that have been merged into it.
  public func origins(of axis: Axis) -> [AxisOrigin] {
    let value = self[axis.value]
    let itself = value.isBuilt ? [] : [AxisOrigin(axis: axis, name: value.name)]
    return itself + (value.axisOrigins[axis.index] ?? [])
  }

  /// How diagnostics speak of a node: by the name, or the first result where it has none, and the
  /// operator of the node of the original that it stands for.
  public func location(of id: NodeID) -> Location {
    let node = self[id]
    if let origin = node.origins.first { return origin.location }
    // The verifier asks too, of nodes that may be wrong.
    let output = node.outputs.lazy.compactMap { $0 }.first.flatMap { value($0)?.name } ?? ""
    return .node(
      name: node.name.isEmpty ? output : node.name, operation: node.operation.description)
  }

  // MARK: Doors

  /// Says that a node also stands for what `other` stands for: the one has been merged into the
  /// other.
  public mutating func addOrigins(of other: NodeID, to id: NodeID) {
    setOrigins(of: id, to: (origins(of: id) + origins(of: other)).uniqued())
    advanceRevision()
  }

  /// Says that an axis of a constant also stands for what `others` stand for: their constants have
  /// been merged into this one.
  public mutating func addOrigins(of others: [Axis], to axis: Axis) {
    let known = valueSlots[axis.value.index]!.axisOrigins[axis.index] ?? []
    valueSlots[axis.value.index]!.axisOrigins[axis.index] =
      (known + others.flatMap { origins(of: $0) }).uniqued()
    advanceRevision()
  }

  /// Makes the graph as it is the original: nodes and constants that a rewrite has built stand for
  /// themselves from here on. Diagnostics speak of them as before.
  public mutating func becomeOriginal() {
    var hasChanged = false
    for id in Array(nodes) where !self[id].origins.isEmpty {
      setOrigins(of: id, to: self[id].origins.map { NodeOrigin(id, calledAs: $0) })
      hasChanged = true
    }
    for id in initializers where self[id].isBuilt || !self[id].axisOrigins.isEmpty {
      valueSlots[id.index]!.origins = []
      valueSlots[id.index]!.axisOrigins = [:]
      hasChanged = true
    }
    if hasChanged { advanceRevision() }
  }

  mutating func setOrigins(of id: NodeID, to origins: [NodeOrigin]) {
    nodeSlots[id.index]!.node.origins = origins
  }

  mutating func setOrigins(of id: ValueID, to origins: [NodeOrigin]) {
    valueSlots[id.index]!.origins = origins
  }
}

extension Sequence where Element: Hashable {
  /// The elements without those that came before.
  package func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
