/// What a node computes: an operator or a model-local function.
public struct OperationName: Hashable, Sendable, CustomStringConvertible {
  /// The operator set; empty for the standard one (`ai.onnx`).
  public var domain: String
  public var type: String
  public var overload: String

  public init(_ type: String, domain: String = "", overload: String = "") {
    self.domain = domain == "ai.onnx" ? "" : domain
    self.type = type
    self.overload = overload
  }

  public var description: String { domain.isEmpty ? type : "\(domain).\(type)" }
}

/// One operation of a graph.
public struct Node: Sendable {
  public var name: String
  public internal(set) var operation: OperationName
  /// The operands; `nil` for an optional one that is left out.
  public internal(set) var inputs: [ValueID?]
  /// Values of this graph that the node's subgraphs use, in the order of their `captured` values.
  public internal(set) var captures: [ValueID]
  /// The results; `nil` for an optional one that is left out.
  public internal(set) var outputs: [ValueID?]
  public internal(set) var attributes: [Attribute]
  public var annotations: Annotations
  /// Serialized `NodeDeviceConfigurationProto`s.
  public var deviceConfigurations: [[UInt8]]
  /// The nodes of the original that the node stands for; none where it stands for itself alone.
  public internal(set) var origins: [NodeOrigin] = []

  /// The attribute called `name`.
  public func attribute(_ name: String) -> Attribute? { attributes.first { $0.name == name } }
}
