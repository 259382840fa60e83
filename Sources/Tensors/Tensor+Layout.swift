import Glibc

extension Tensor {
  /// The tensor of `shape` whose element at index `i` is the element of this one at offset
  /// `offset + i[0] * strides[0] + i[1] * strides[1] + ...`. Strides may be zero or negative.
  ///
  /// Works on every element type by moving bits rather than values.
  public func strided(shape: [Int], strides: [Int], offset: Int = 0) -> Tensor {
    precondition(shape.count == strides.count)
    let walk = StridedWalk(shape: shape, strides: strides, offset: offset)
    let read = walk.readRange
    precondition(read.isEmpty || (read.lowerBound >= 0 && read.upperBound <= count))
    switch payload {
    case .absent:
      return Tensor(absent: elementType, shape: shape)
    case .strings(let strings):
      var moved: [[UInt8]] = []
      moved.reserveCapacity(shape.elementCount)
      walk.forEachRow { start in
        for index in 0..<walk.rowLength { moved.append(strings[start + index * walk.rowStride]) }
      }
      return Tensor(strings: moved, shape: shape)
    case .bytes, .slice:
      let byteCount = elementType.byteCount(of: shape.elementCount)!
      let storage = storage!
      let source = storage.bytes
      defer { withExtendedLifetime(storage) {} }
      let result: TensorStorage
      if elementType.isByteAligned {
        result = TensorStorage(byteCount: byteCount) { target in
          switch elementType.bitWidth {
          case 8: walk.copy(UInt8.self, from: source, to: target)
          case 16: walk.copy(UInt16.self, from: source, to: target)
          case 32: walk.copy(UInt32.self, from: source, to: target)
          case 64: walk.copy(UInt64.self, from: source, to: target)
          default: walk.copy(SIMD2<UInt64>.self, from: source, to: target)
          }
        }
      } else {
        result = TensorStorage(zeroed: byteCount)
        let target = UnsafeMutableRawBufferPointer(mutating: result.bytes)
        let width = elementType.bitWidth
        var write = 0
        walk.forEachRow { start in
          for index in 0..<walk.rowLength {
            let read = (start + index * walk.rowStride) * width
            Self.moveBits(width, from: source, at: read, to: target, at: write)
            write += width
          }
        }
      }
      return Tensor(elementType, shape: shape, storage: result)
    }
  }

  /// The tensor with its axes reordered: axis `i` of the result is axis `permutation[i]` of this.
  public func transposed(_ permutation: [Int]) -> Tensor {
    let own = shape.rowMajorStrides
    return strided(shape: permutation.map { shape[$0] }, strides: permutation.map { own[$0] })
  }

  /// A tensor of `shape` all of whose elements are the only element of `element`.
  public init(repeating element: Tensor, shape: [Int]) {
    precondition(element.count == 1)
    self = element.strided(shape: shape, strides: [Int](repeating: 0, count: shape.count))
  }

  /// The tensors one after the other along `axis`; at least one, of one element type, and of
  /// shapes that differ along `axis` only.
  public static func concatenated(_ parts: [Tensor], alongAxis axis: Int) -> Tensor {
    let first = parts[0]
    var shape = first.shape
    shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    guard parts.allSatisfy(\.hasData) else {
      return Tensor(absent: first.elementType, shape: shape)
    }
    let parts = parts.map(\.contiguous)
    let total = shape.elementCount
    let rows = total == 0 ? 0 : shape[..<axis].reduce(1, *)
    let lengths = parts.map { total == 0 ? 0 : $0.count / rows }
    if first.elementType == .string {
      var joined: [[UInt8]] = []
      for row in 0..<rows {
        for (part, length) in zip(parts, lengths) {
          joined += part.strings![(row * length)..<((row + 1) * length)]
        }
      }
      return Tensor(strings: joined, shape: shape)
    }
    let width = first.elementType.bitWidth
    let storage = TensorStorage(zeroed: first.elementType.byteCount(of: total)!)
    let target = UnsafeMutableRawBufferPointer(mutating: storage.bytes)
    var write = 0
    for row in 0..<rows {
      for (part, length) in zip(parts, lengths) {
        part.withUnsafeBytes { source in
          moveBits(length * width, from: source, at: row * length * width, to: target, at: write)
        }
        write += length * width
      }
    }
    return Tensor(first.elementType, shape: shape, storage: storage)
  }

  /// Copies `count` bits to a place that holds zeros, whole bytes at once where both sides allow.
  private static func moveBits(
    _ count: Int, from source: UnsafeRawBufferPointer, at readBit: Int,
    to target: UnsafeMutableRawBufferPointer, at writeBit: Int
  ) {
    guard count > 0 else { return }
    if count % 8 == 0, readBit % 8 == 0, writeBit % 8 == 0 {
      memcpy(target.baseAddress! + writeBit / 8, source.baseAddress! + readBit / 8, count / 8)
      return
    }
    for index in 0..<count {
      let bit = (source[(readBit + index) / 8] >> UInt8((readBit + index) % 8)) & 1
      target[(writeBit + index) / 8] |= bit << UInt8((writeBit + index) % 8)
    }
  }
}

/// The offsets that a strided view reads, in the view's row-major order, a row at a time. Axes that
/// continue each other are merged first, so that rows are as long as can be.
private struct StridedWalk {
  private var outerShape: [Int] = []
  private var outerStrides: [Int] = []
  private(set) var rowLength = 1
  private(set) var rowStride = 1
  private let offset: Int
  private let isEmpty: Bool

  init(shape: [Int], strides: [Int], offset: Int) {
    self.offset = offset
    isEmpty = shape.contains(0)
    guard !isEmpty else { return }
    for (extent, stride) in zip(shape, strides) where extent != 1 {
      if let last = outerStrides.last, last == extent * stride {
        outerShape[outerShape.count - 1] *= extent
        outerStrides[outerStrides.count - 1] = stride
      } else {
        outerShape.append(extent)
        outerStrides.append(stride)
      }
    }
    if let length = outerShape.popLast() {
      rowLength = length
      rowStride = outerStrides.removeLast()
    }
  }

  /// The least and greatest offset that is read.
  var readRange: Range<Int> {
    guard !isEmpty else { return 0..<0 }
    var (least, greatest) = (offset, offset)
    for (extent, stride) in zip(outerShape + [rowLength], outerStrides + [rowStride]) {
      if stride < 0 { least += (extent - 1) * stride } else { greatest += (extent - 1) * stride }
    }
    return least..<(greatest + 1)
  }

  /// Calls `body` with the offset of the first element of every row.
  func forEachRow(_ body: (Int) -> Void) {
    guard !isEmpty else { return }
    var index = [Int](repeating: 0, count: outerShape.count)
    var start = offset
    while true {
      body(start)
      var axis = outerShape.count - 1
      while axis >= 0 {
        index[axis] += 1
        start += outerStrides[axis]
        if index[axis] < outerShape[axis] { break }
        start -= outerStrides[axis] * outerShape[axis]
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }

  /// Copies the elements, each of the width of `Unit`, which may lie at any alignment.
  func copy<Unit: BitwiseCopyable>(
    _: Unit.Type, from source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer
  ) {
    let width = MemoryLayout<Unit>.size
    guard !isEmpty, var write = target.baseAddress, let base = source.baseAddress else { return }
    let (length, step) = (rowLength, rowStride * width)
    forEachRow { start in
      var read = base + start * width
      if rowStride == 1 {
        memcpy(write, read, length * width)
        write += length * width
        return
      }
      for _ in 0..<length {
        write.storeBytes(of: read.loadUnaligned(as: Unit.self), as: Unit.self)
        write += width
        read += step
      }
    }
  }
}
