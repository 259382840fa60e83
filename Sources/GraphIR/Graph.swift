import Synchronization

/// A model's use of an operator set.
public struct OpsetImport: Hashable, Sendable {
  public var domain: String
  public var version: Int
  public var annotations: Annotations

  public init(_ domain: String, _ version: Int, annotations: Annotations = .none) {
    self.domain = domain
    self.version = version
    self.annotations = annotations
  }
}

/// A graph of operations in single static assignment form.
///
/// A value type: a copy is a free snapshot. Nodes and values live in arenas and are named by IDs
/// that are never reused; nodes are kept in a topological order. Structure changes only through the
/// doors of `Graph+Mutation.swift`, each of which gives the graph a new `revision`, so that an
/// analysis can be cached by revision.
public struct Graph: Sendable {
  /// An output of the graph's signature. The name belongs here, not to the value.
  public struct Output: Sendable {
    public var name: String
    public internal(set) var value: ValueID
    public var annotations: Annotations
    /// The declared type where the value's own type is unknown or differs in what it says.
    public var declaredType: ValueType?
  }

  struct NodeSlot: Sendable {
    var node: Node
    var previous: NodeID?
    var next: NodeID?
  }

  public var name: String
  public var annotations = Annotations.none
  /// The operator sets that the nodes refer to, in the model's order.
  public var opsetImports: [OpsetImport] { didSet { advanceRevision() } }
  /// Serialized `TensorAnnotation`s.
  public var quantizationAnnotations: [[UInt8]] = []

  public internal(set) var inputs: [ValueID] = []
  public internal(set) var outputs: [Output] = []
  /// Initializers, in the model's order.
  public internal(set) var initializers: [ValueID] = []
  /// Of a subgraph: the values taken from the surrounding graph.
  public internal(set) var captures: [ValueID] = []
  /// Different for any two graphs that differ, within a process.
  public internal(set) var revision: UInt64 = 0

  var nodeSlots: [NodeSlot?] = []
  var erasedNodeCount = 0
  var firstNode: NodeID?
  var lastNode: NodeID?
  var valueSlots: [Value?] = []
  var takenNames: Set<String> = []
  /// For a stem, the number from which on names of it may be free.
  var nextNumbers: [String: Int] = [:]

  public init(name: String, opsetImports: [OpsetImport]) {
    self.name = name
    self.opsetImports = opsetImports
  }

  private static let lastRevision = Atomic<UInt64>(0)

  mutating func advanceRevision() {
    revision = Self.lastRevision.add(1, ordering: .relaxed).newValue
  }

  /// The version of the operator set `domain` that the graph imports.
  public func opsetVersion(of domain: String) -> Int? {
    opsetImports.first { $0.domain == domain || ($0.domain == "ai.onnx" && domain.isEmpty) }?
      .version
  }

  public subscript(id: NodeID) -> Node {
    _read { yield nodeSlots[id.index]!.node }
  }

  public subscript(id: ValueID) -> Value {
    _read { yield valueSlots[id.index]! }
  }

  /// The node of that ID, or `nil` once it has been erased.
  public func node(_ id: NodeID) -> Node? {
    id.index < nodeSlots.count ? nodeSlots[id.index]?.node : nil
  }

  /// The value of that ID, or `nil` once it has been erased.
  public func value(_ id: ValueID) -> Value? {
    id.index < valueSlots.count ? valueSlots[id.index] : nil
  }

  /// The number of node IDs given out so far: an upper bound for tables indexed by node.
  public var nodeIDBound: Int { nodeSlots.count }

  /// The number of value IDs given out so far: an upper bound for tables indexed by value.
  public var valueIDBound: Int { valueSlots.count }

  /// The IDs of all values, in order of creation.
  public var valueIDs: [ValueID] {
    valueSlots.indices.compactMap { valueSlots[$0] == nil ? nil : ValueID($0) }
  }

  /// The value called `name`; linear in the number of values.
  public func value(named name: String) -> ValueID? {
    valueIDs.first { self[$0].name == name }
  }

  /// The node called `name`; linear in the number of nodes.
  public func node(named name: String) -> NodeID? {
    nodes.first { self[$0].name == name }
  }
}

extension Graph {
  /// The nodes in topological order. Holds a snapshot of nothing: take `Array(graph.nodes)` before
  /// changing the graph in a loop.
  public var nodes: Nodes { Nodes(graph: self, current: firstNode) }

  public struct Nodes: Sequence, IteratorProtocol {
    let graph: Graph
    var current: NodeID?

    public mutating func next() -> NodeID? {
      guard let id = current else { return nil }
      current = graph.nodeSlots[id.index]!.next
      return id
    }
  }

  /// The nodes from the last to the first.
  public var nodesReversed: [NodeID] { Array(nodes).reversed() }

  public var nodeCount: Int { nodeSlots.count - erasedNodeCount }
}
