import PrunecTensors

/// A tensor with what a `TensorProto` says of it beyond its elements.
public struct NamedTensor: Hashable, Sendable {
  public var name: String
  public var tensor: Tensor
  public var annotations: Annotations

  public init(_ tensor: Tensor, name: String = "", annotations: Annotations = .none) {
    self.tensor = tensor
    self.name = name
    self.annotations = annotations
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(tensor.shape)
  }
}

/// A named attribute of a node.
public struct Attribute: Sendable {
  public indirect enum Value: Sendable {
    case float(Float)
    case int(Int64)
    case string([UInt8])
    case tensor(NamedTensor)
    case graph(Graph)
    /// A serialized `SparseTensorProto`.
    case sparseTensor([UInt8])
    case type(ValueType)
    case floats([Float])
    case ints([Int64])
    case strings([[UInt8]])
    case tensors([NamedTensor])
    case graphs([Graph])
    case sparseTensors([[UInt8]])
    case types([ValueType])
    /// Inside a function: the value of the function's attribute `name`, of ONNX attribute type
    /// `type` (`AttributeProto.AttributeType`).
    case reference(name: String, type: Int32)
  }

  public var name: String
  public var value: Value
  public var annotations: Annotations

  public init(_ name: String, _ value: Value, annotations: Annotations = .none) {
    self.name = name
    self.value = value
    self.annotations = annotations
  }

  public init(_ name: String, _ value: Int) { self.init(name, .int(Int64(value))) }
  public init(_ name: String, _ values: [Int]) { self.init(name, .ints(values.map(Int64.init))) }
  public init(_ name: String, _ value: String) { self.init(name, .string(Array(value.utf8))) }

  /// The subgraphs held by the attribute.
  public var graphs: [Graph] {
    switch value {
    case .graph(let graph): [graph]
    case .graphs(let graphs): graphs
    default: []
    }
  }
}

extension Attribute.Value {
  /// Whether two values are of the same kind of attribute.
  public func isSameKind(as other: Attribute.Value) -> Bool {
    switch (self, other) {
    case (.float, .float), (.int, .int), (.string, .string), (.tensor, .tensor), (.graph, .graph),
      (.sparseTensor, .sparseTensor), (.type, .type), (.floats, .floats), (.ints, .ints),
      (.strings, .strings), (.tensors, .tensors), (.graphs, .graphs),
      (.sparseTensors, .sparseTensors), (.types, .types):
      true
    default: false
    }
  }
}
