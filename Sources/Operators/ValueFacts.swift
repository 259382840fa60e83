import PrunecGraphIR
import PrunecTensors

/// An integer known at compile time: a number, a named extent, or nothing.
public typealias SymbolicInteger = Dimension.Extent

extension SymbolicInteger {
  /// The number; `nil` where it is a name or not known.
  public var number: Int? {
    if case .fixed(let number) = self { return number }
    return nil
  }
}

/// What is known about a value without running the model.
public struct ValueFacts: Sendable {
  /// What is known of the elements.
  public enum Contents: Sendable {
    case unknown
    case constant(Tensor)
    /// The elements of a tensor of known shape in row-major order, as far as they are integers, some of
    /// them symbolic: what the shape arithmetic that exporters emit computes with. Of floating point
    /// elements whole numbers are known, and no symbols.
    case integers([SymbolicInteger])
  }

  /// The tensor type; `nil` when nothing is known or the value is no tensor.
  public var type: TensorType?
  public var contents: Contents

  public init(_ type: TensorType?, contents: Contents = .unknown) {
    self.type = type
    self.contents = contents
  }

  public init(_ elementType: ElementType?, _ shape: [Dimension]?, contents: Contents = .unknown) {
    self.init(TensorType(elementType, shape), contents: contents)
  }

  /// The facts of a constant.
  public init(constant tensor: Tensor) {
    self.init(TensorType(tensor.elementType, fixed: tensor.shape), contents: .constant(tensor))
  }

  public static let unknown = ValueFacts(nil)

  /// Type of a value that is either this one or another.
  package func common(with other: ValueFacts) -> ValueFacts {
    let elementType = elementType == other.elementType ? elementType : nil
    guard let own = shape, let others = other.shape, own.count == others.count else {
      return ValueFacts(elementType, nil)
    }
    return ValueFacts(
      elementType, zip(own, others).map { $0.extent == $1.extent ? $0 : .unknown })
  }

  public var elementType: ElementType? { type?.elementType }
  public var shape: [Dimension]? { type?.shape }
  public var rank: Int? { type?.shape?.count }

  /// The extents, where all are numbers.
  public var fixedShape: [Int]? { type?.fixedShape }

  /// The extents, `nil` for each that is no number.
  public var fixedExtents: [Int?]? { type?.shape?.map(\.fixedExtent) }

  /// The tensor, if the value is constant and its data is at hand.
  public var constant: Tensor? {
    if case .constant(let tensor) = contents, tensor.hasData { return tensor }
    return nil
  }

  /// The constant, or the tensor of integers every one of which is known as a number.
  public var knownTensor: Tensor? {
    if let constant { return constant }
    guard case .integers(let elements) = contents, let shape = fixedShape,
      let elementType, elementType.isInteger || elementType == .bool
    else { return nil }
    let numbers = elements.compactMap(\.number)
    guard numbers.count == elements.count, shape.checkedElementCount == numbers.count else {
      return nil
    }
    return Tensor(wrapping: numbers, to: elementType, shape: shape)
  }

  /// The elements of an integer or boolean scalar or vector, as far as they are known.
  public var integers: [SymbolicInteger]? {
    switch contents {
    case .unknown: return nil
    case .integers(let elements):
      return rank ?? 0 <= 1 && elementType?.isFloatingPoint != true ? elements : nil
    case .constant(let tensor):
      guard tensor.hasData, tensor.rank <= 1,
        tensor.elementType.isInteger || tensor.elementType == .bool
      else { return nil }
      return tensor.integers.map { .fixed($0) }
    }
  }

  /// The elements of a constant integer tensor.
  public var constantIntegers: [Int]? {
    guard let integers else { return nil }
    let numbers = integers.compactMap(\.number)
    return numbers.count == integers.count ? numbers : nil
  }
}
