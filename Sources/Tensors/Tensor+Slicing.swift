import Glibc

extension Tensor {
  /// The tensor with only `indices` left along `axis`, in the given order; indices may repeat.
  ///
  /// Works on every element type, sub-byte ones included, by moving bits rather than values.
  public func keeping(_ indices: [Int], alongAxis axis: Int) -> Tensor {
    var newShape = shape
    newShape[axis] = indices.count
    let extent = shape[axis]
    precondition(indices.allSatisfy { $0 >= 0 && $0 < extent })
    if case .absent = payload { return Tensor(absent: elementType, shape: newShape) }
    // With an extent of zero there is nothing to move, and the product of others might overflow.
    guard newShape.elementCount > 0 else {
      return elementType == .string
        ? Tensor(strings: [], shape: newShape) : Tensor(zeros: elementType, shape: newShape)
    }
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *)

    if let strings {
      var kept: [[UInt8]] = []
      kept.reserveCapacity(newShape.elementCount)
      for row in 0..<outer {
        for index in indices {
          let start = (row * extent + index) * inner
          kept.append(contentsOf: strings[start..<(start + inner)])
        }
      }
      return Tensor(strings: kept, shape: newShape)
    }
    let storage = storage!
    defer { withExtendedLifetime(storage) {} }
    let result: TensorStorage
    if elementType.isByteAligned {
      let block = inner * elementType.bitWidth / 8
      result = TensorStorage(byteCount: outer * indices.count * block) { target in
        Self.copyBlocks(
          of: block, at: indices, rows: outer, rowLength: extent, from: storage.bytes, to: target)
      }
    } else {
      let byteCount = elementType.byteCount(of: newShape.elementCount)!
      result = TensorStorage(zeroed: byteCount)
      copyBits(
        at: indices, rows: outer, rowLength: extent, inner: inner, from: storage.bytes,
        to: UnsafeMutableRawBufferPointer(mutating: result.bytes))
    }
    return Tensor(elementType, shape: newShape, storage: result)
  }

  /// What `keeping` gives, brought together each time it is read: for large tensors that will be read once.
  public func lazilyKeeping(_ indices: [Int], alongAxis axis: Int) -> Tensor {
    let extent = shape[axis]
    precondition(indices.allSatisfy { $0 >= 0 && $0 < extent })
    var slice: LazySlice
    switch payload {
    case .bytes(let storage): slice = LazySlice(elementType, storage, shape: shape)
    case .slice(let known): slice = known
    case .strings, .absent: return keeping(indices, alongAxis: axis)
    }
    slice.keep(indices, ofAxis: axis)
    return Tensor(slice)
  }

  /// Copies runs of neighbouring indices with one `memcpy` each.
  private static func copyBlocks(
    of block: Int, at indices: [Int], rows: Int, rowLength: Int,
    from source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer
  ) {
    guard block > 0, !indices.isEmpty, rows > 0 else { return }
    var runs: [(start: Int, length: Int)] = []
    for index in indices {
      if let last = runs.last, last.start + last.length == index {
        runs[runs.count - 1].length += 1
      } else {
        runs.append((index, 1))
      }
    }
    var write = target.baseAddress!
    for row in 0..<rows {
      let base = source.baseAddress! + row * rowLength * block
      for run in runs {
        memcpy(write, base + run.start * block, run.length * block)
        write += run.length * block
      }
    }
  }

  private func copyBits(
    at indices: [Int], rows: Int, rowLength: Int, inner: Int,
    from source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer
  ) {
    let width = elementType.bitWidth
    var writeBit = 0
    for row in 0..<rows {
      for index in indices {
        var readBit = (row * rowLength + index) * inner * width
        for _ in 0..<(inner * width) {
          let bit = (source[readBit / 8] >> UInt8(readBit % 8)) & 1
          target[writeBit / 8] |= bit << UInt8(writeBit % 8)
          readBit += 1
          writeBit += 1
        }
      }
    }
  }

  /// Whether the tensor has the elements of `whole` at `kept`, lists of indices by axis. Slices of one storage are told by what
  /// they keep, without reading any element.
  public func isSlice(of whole: Tensor, keeping kept: [Int: [Int]]) -> Bool {
    let slice = kept.keys.sorted().reduce(whole) { $0.lazilyKeeping(kept[$1]!, alongAxis: $1) }
    if let mine = lazySlice, let other = slice.lazySlice, mine.isSame(as: other) { return true }
    return self == slice
  }

  /// The tensor as a slice, of all of its storage where it is no other.
  private var lazySlice: LazySlice? {
    switch payload {
    case .bytes(let storage): LazySlice(elementType, storage, shape: shape)
    case .slice(let slice): slice
    case .strings, .absent: nil
    }
  }

  /// The part of the tensor in `range` along `axis`.
  public func slice(_ range: Range<Int>, alongAxis axis: Int) -> Tensor {
    keeping(Array(range), alongAxis: axis)
  }
}

extension Tensor {
  /// The tensor with the elements at all combinations of `indices`, a list for each axis, those of `part`.
  public func replacing(_ indices: [[Int]], by part: Tensor) -> Tensor {
    precondition(indices.map(\.count) == part.shape && part.elementType == elementType)
    guard part.count > 0 else { return self }
    var whole = self.contiguous
    let width = elementType.bitWidth / 8
    let (strides, inner) = (shape.rowMajorStrides, part.shape.last ?? 1)
    whole.withUnsafeMutableBytes { target in
      part.withUnsafeBytes { source in
        for row in 0..<(part.count / inner) {
          var (rest, base) = (row, 0)
          for axis in part.shape.indices.dropLast().reversed() {
            base += indices[axis][rest % part.shape[axis]] * strides[axis]
            rest /= part.shape[axis]
          }
          for column in 0..<inner {
            let place = (base + (indices.last?[column] ?? 0)) * width
            let from = (row * inner + column) * width
            for byte in 0..<width { target[place + byte] = source[from + byte] }
          }
        }
      }
    }
    return whole
  }
}
