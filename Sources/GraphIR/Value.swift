import PrunecTensors

/// Where a value comes from.
public enum Definition: Sendable {
  /// The graph input at this position.
  case input(Int)
  /// A constant stored with the graph.
  case initializer(Tensor)
  /// Output `index` of `node`.
  case output(of: NodeID, index: Int)
  /// Of a subgraph: the value of the surrounding graph that the owning node lists at this position
  /// of its `captures`.
  case captured(Int)
}

/// One place where a value is used.
public enum Use: Hashable, Sendable {
  case operand(NodeID, Int)
  case capture(NodeID, Int)
  case graphOutput(Int)

  /// The node that uses the value, unless the graph's signature does.
  public var node: NodeID? {
    switch self {
    case .operand(let node, _), .capture(let node, _): node
    case .graphOutput: nil
    }
  }
}

/// A value in single static assignment form: defined once, used any number of times.
public struct Value: Sendable {
  /// Unique in the graph. Of a graph output it is the name inside; the signature has its own.
  public var name: String
  /// The type as declared or inferred; `nil` where nothing is known.
  public var type: ValueType?
  public internal(set) var definition: Definition
  /// Every use, in no particular order.
  public internal(set) var uses: [Use] = []
  public var annotations = Annotations.none
  /// Of an initializer: the external data file that holds its elements, relative to the model.
  public var externalLocation: String?
  /// Of an initializer: whether the graph's inputs list it too, so that a caller might replace it.
  public var isListedAsInput = false
  /// Of such an initializer: what the input's `ValueInfoProto` carries.
  public var inputAnnotations = Annotations.none
  /// Of such an initializer: the type that the input declares, where it is not the tensor's.
  public internal(set) var declaredInputType: ValueType?
  /// Of an initializer that a rewrite has built: the nodes of the original that it stands for.
  public internal(set) var origins: [NodeOrigin] = []
  /// Of an initializer: by axis, the axes of other constants of the original that it stands for.
  public internal(set) var axisOrigins: [Int: [AxisOrigin]] = [:]

  init(name: String, type: ValueType?, definition: Definition) {
    self.name = name
    self.type = type
    self.definition = definition
  }

  /// Whether the graph's signature gives the value out.
  public var isGraphOutput: Bool {
    uses.contains { if case .graphOutput = $0 { true } else { false } }
  }

  /// Whether the value is an initializer that a rewrite has built.
  public var isBuilt: Bool { !origins.isEmpty }

  /// The tensor, if the value is an initializer.
  public var constant: Tensor? {
    if case .initializer(let tensor) = definition { return tensor }
    return nil
  }

  /// The node that computes the value, if one does.
  public var definingNode: NodeID? {
    if case .output(let node, _) = definition { return node }
    return nil
  }

  public var tensorType: TensorType? { type?.tensorType }
}
