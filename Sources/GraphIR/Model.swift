/// A function defined in the model itself.
public struct Function: Sendable {
  public var name: OperationName
  /// Names of attributes without a default.
  public var attributes: [String]
  /// Attributes with a default.
  public var attributeDefaults: [Attribute]
  /// The body; its values have no declared types unless the model gives them.
  public var body: Graph
  public var annotations: Annotations

  public init(
    name: OperationName, attributes: [String], attributeDefaults: [Attribute], body: Graph,
    annotations: Annotations
  ) {
    self.name = name
    self.attributes = attributes
    self.attributeDefaults = attributeDefaults
    self.body = body
    self.annotations = annotations
  }
}

/// A whole ONNX model: the graph and everything around it.
public struct Model: Sendable {
  public var irVersion: Int
  public var producerName = ""
  public var producerVersion = ""
  public var domain = ""
  /// `nil` where the model does not say.
  public var modelVersion: Int?
  public var graph: Graph
  public var functions: [Function] = []
  public var annotations = Annotations.none
  /// Serialized `TrainingInfoProto`s.
  public var trainingInfo: [[UInt8]] = []
  /// Serialized `DeviceConfigurationProto`s.
  public var deviceConfigurations: [[UInt8]] = []

  public init(irVersion: Int, graph: Graph) {
    self.irVersion = irVersion
    self.graph = graph
  }
}
