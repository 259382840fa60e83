import Glibc

/// A dense tensor: element type, extents and elements in row-major order.
///
/// A value type over shared storage: copies are free, and the first write to a shared or borrowed
/// storage copies it. A lazy slice (`lazilyKeeping`) is a tensor like any other, but brings its elements
/// together each time they are read.
public struct Tensor: Sendable {
  public let elementType: ElementType
  /// Extents, outermost first; empty for a scalar.
  public let shape: [Int]
  var payload: Payload

  enum Payload: Sendable {
    case bytes(TensorStorage)
    case slice(LazySlice)
    case strings([[UInt8]])
    /// Data that is described but not at hand, such as an absent external data file.
    case absent
  }

  /// Wraps `storage`, whose size must be that of `shape` elements of `elementType`.
  public init(_ elementType: ElementType, shape: [Int], storage: TensorStorage) {
    precondition(elementType.byteCount(of: shape.elementCount) == storage.bytes.count)
    self.elementType = elementType
    self.shape = shape
    payload = .bytes(storage)
  }

  /// A tensor of zeros.
  public init(zeros elementType: ElementType, shape: [Int]) {
    let byteCount = elementType.byteCount(of: shape.elementCount)!
    self.init(elementType, shape: shape, storage: TensorStorage(zeroed: byteCount))
  }

  /// A tensor of strings, given as their bytes.
  public init(strings: [[UInt8]], shape: [Int]) {
    precondition(strings.count == shape.elementCount)
    elementType = .string
    self.shape = shape
    payload = .strings(strings)
  }

  /// A tensor whose elements are known to exist but cannot be read.
  public init(absent elementType: ElementType, shape: [Int]) {
    self.elementType = elementType
    self.shape = shape
    payload = .absent
  }

  /// The elements of a slice, which are brought together when they are read.
  init(_ slice: LazySlice) {
    elementType = slice.elementType
    shape = slice.shape
    payload = .slice(slice)
  }

  public var rank: Int { shape.count }

  /// Number of elements.
  public var count: Int { shape.elementCount }

  /// Whether the elements can be read.
  public var hasData: Bool {
    if case .absent = payload { return false }
    return true
  }

  /// Size of the elements in bytes; for strings the sum of their lengths.
  public var byteCount: Int {
    switch payload {
    case .bytes(let storage): storage.bytes.count
    case .strings(let strings): strings.reduce(0) { $0 + $1.count }
    case .slice, .absent: elementType.byteCount(of: count) ?? 0
    }
  }

  /// The elements of a string tensor, as bytes.
  public var strings: [[UInt8]]? {
    if case .strings(let strings) = payload { return strings }
    return nil
  }

  /// The storage behind the tensor, a new one each time for a lazy slice; `nil` for strings and absent
  /// data.
  public var storage: TensorStorage? {
    switch payload {
    case .bytes(let storage): storage
    case .slice(let slice): slice.storage
    case .strings, .absent: nil
    }
  }

  /// The tensor with its elements in one place: itself, unless it is a lazy slice. For reading it more
  /// than once.
  public var contiguous: Tensor {
    guard case .slice(let slice) = payload else { return self }
    return Tensor(elementType, shape: shape, storage: slice.storage)
  }

  /// Whether both are the same elements in memory, under shapes and types that may differ. What is held is never written, so
  /// that they stay the same.
  package func sharesStorage(with other: Tensor?) -> Bool {
    guard case .bytes(let storage) = payload, case .bytes(let others)? = other?.payload else {
      return false
    }
    return storage === others
  }

  /// Calls `body` with the tensor's bytes, which may lie at any alignment. Empty without data.
  @inlinable
  public func withUnsafeBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    guard let storage else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    defer { withExtendedLifetime(storage) {} }
    return try body(storage.bytes)
  }

  /// Calls `body` with the tensor's bytes for writing, in place where nobody shares them.
  public mutating func withUnsafeMutableBytes<R, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    guard var storage else { preconditionFailure("tensor without bytes") }
    payload = .absent
    if !storage.isWritable || !isKnownUniquelyReferenced(&storage) {
      let source = storage
      storage = TensorStorage(byteCount: source.bytes.count) { $0.copyMemory(from: source.bytes) }
    }
    defer { payload = .bytes(storage) }
    return try body(UnsafeMutableRawBufferPointer(mutating: storage.bytes))
  }
}

extension Tensor: Equatable {
  /// Bitwise equality of type, shape and elements.
  public static func == (lhs: Tensor, rhs: Tensor) -> Bool {
    guard lhs.elementType == rhs.elementType, lhs.shape == rhs.shape else { return false }
    guard lhs.hasData, rhs.hasData else { return lhs.hasData == rhs.hasData }
    guard let a = lhs.storage, let b = rhs.storage else { return lhs.strings == rhs.strings }
    return withExtendedLifetime((a, b)) {
      a === b || a.bytes.count == 0
        || memcmp(a.bytes.baseAddress!, b.bytes.baseAddress!, a.bytes.count) == 0
    }
  }
}

extension [Int] {
  /// The product of the extents: the number of elements of a tensor of this shape. Traps on
  /// overflow; shapes from outside pass through `checkedElementCount` first.
  package var elementCount: Int { reduce(1, *) }

  /// The product of the extents, or `nil` if one is negative or the product does not fit.
  package var checkedElementCount: Int? {
    var product = 1
    for extent in self {
      guard extent >= 0 else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      guard !overflow else { return nil }
      product = next
    }
    return product
  }

  /// Row-major strides in elements. Where an extent is zero the strides mean nothing and may wrap.
  package var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: count)
    for axis in indices.dropLast().reversed() {
      // Only where another extent is zero, and strides do not matter, can this wrap.
      strides[axis] = strides[axis + 1] &* self[axis + 1]
    }
    return strides
  }
}
