import PrunecTensors

/// One extent of a tensor type.
public struct Dimension: Hashable, Sendable {
  public enum Extent: Hashable, Sendable {
    case fixed(Int)
    /// A named extent (`dim_param`): equal names are equal extents.
    case symbol(String)
    case unknown
  }
  public var extent: Extent
  /// The standard denotation of the axis, such as `DATA_CHANNEL`; empty where there is none.
  public var denotation: String

  public init(_ extent: Extent, denotation: String = "") {
    self.extent = extent
    self.denotation = denotation
  }

  public static func fixed(_ extent: Int) -> Dimension { Dimension(.fixed(extent)) }
  public static func symbol(_ name: String) -> Dimension { Dimension(.symbol(name)) }
  public static let unknown = Dimension(.unknown)

  /// The extent, where it is a number.
  // Swift 6.3.1 crashes in CopyPropagation where this is inlined next to a borrowed dimension.
  @inline(never)
  public var fixedExtent: Int? {
    if case .fixed(let extent) = extent { return extent }
    return nil
  }
}

/// The type of a tensor: element type and shape, either of which may be unknown.
public struct TensorType: Hashable, Sendable {
  public var elementType: ElementType?
  /// `nil` when not even the rank is known.
  public var shape: [Dimension]?

  public init(_ elementType: ElementType?, _ shape: [Dimension]?) {
    self.elementType = elementType
    self.shape = shape
  }

  public init(_ elementType: ElementType, fixed shape: [Int]) {
    self.init(elementType, shape.map { .fixed($0) })
  }

  /// The extents, where all are numbers.
  public var fixedShape: [Int]? {
    guard let shape else { return nil }
    var extents: [Int] = []
    for dimension in shape {
      guard let extent = dimension.fixedExtent else { return nil }
      extents.append(extent)
    }
    return extents
  }
}

/// The type of a value: ONNX's `TypeProto`.
public struct ValueType: Hashable, Sendable {
  public indirect enum Kind: Hashable, Sendable {
    case tensor(TensorType)
    case sparseTensor(TensorType)
    case sequence(ValueType)
    case optional(ValueType)
    case map(key: ElementType?, value: ValueType)
    case opaque(domain: String, name: String)
    /// A type message in which no case is set.
    case unspecified
  }
  public var kind: Kind
  public var denotation: String
  /// The serialized `TypeProto` this was read from, kept only where it holds fields that this
  /// type cannot express; written back as it is for as long as the type does not change.
  public var encoded: [UInt8]?

  public init(_ kind: Kind, denotation: String = "", encoded: [UInt8]? = nil) {
    self.kind = kind
    self.denotation = denotation
    self.encoded = encoded
  }

  public static func tensor(_ elementType: ElementType?, _ shape: [Dimension]?) -> ValueType {
    ValueType(.tensor(TensorType(elementType, shape)))
  }

  /// The tensor type, if the value is a dense tensor.
  public var tensorType: TensorType? {
    if case .tensor(let type) = kind { return type }
    return nil
  }
}
