/// The elements of a storage at some indices of its axes, brought together when they are read. To cut a
/// large weight costs neither time nor memory before it is written, and then that of one piece.
struct LazySlice: Sendable {
  let elementType: ElementType
  let base: TensorStorage
  let baseShape: [Int]
  /// The indices that stay, by axis; of other axes all do.
  private(set) var kept: [Int: [Int]] = [:]

  init(_ elementType: ElementType, _ base: TensorStorage, shape: [Int]) {
    self.elementType = elementType
    self.base = base
    baseShape = shape
  }

  /// Leaves only `indices` of `axis`; they count what is left of it.
  mutating func keep(_ indices: [Int], ofAxis axis: Int) {
    kept[axis] = kept[axis].map { earlier in indices.map { earlier[$0] } } ?? indices
  }

  /// Whether both take the same elements of the same storage, without looking at them.
  func isSame(as other: LazySlice) -> Bool {
    base === other.base && elementType == other.elementType && baseShape == other.baseShape
      && kept == other.kept
  }

  var shape: [Int] { baseShape.indices.map { kept[$0]?.count ?? baseShape[$0] } }

  /// The elements brought together.
  var storage: TensorStorage {
    var offset = 0
    return TensorStorage(byteCount: elementType.byteCount(of: shape.elementCount)!) { target in
      forEachPiece { piece in
        UnsafeMutableRawBufferPointer(rebasing: target[offset...]).copyMemory(from: piece)
        offset += piece.count
      }
    }
  }

  /// Calls `body` with the bytes in order, a few rows of axis 0 at a time, and gives back the memory of
  /// those that have been read.
  func forEachPiece(_ body: (UnsafeRawBufferPointer) -> Void) {
    guard shape.elementCount > 0 else { return }
    let whole = Tensor(elementType, shape: baseShape, storage: base)
    let rows = kept[0] ?? Array(0..<baseShape[0])
    // Rows of elements that are narrower than a byte may begin inside of one.
    let rowByteCount =
      elementType.isByteAligned ? base.bytes.count / baseShape[0] : TensorStorage.pieceByteCount
    let rowsPerPiece =
      elementType.isByteAligned ? max(1, TensorStorage.pieceByteCount / rowByteCount) : rows.count
    for start in stride(from: 0, to: rows.count, by: rowsPerPiece) {
      let part = Array(rows[start..<min(start + rowsPerPiece, rows.count)])
      var piece = whole.keeping(part, alongAxis: 0)
      for axis in kept.keys.sorted() where axis > 0 {
        piece = piece.keeping(kept[axis]!, alongAxis: axis)
      }
      piece.withUnsafeBytes(body)
      let read = (part.min()! * rowByteCount)..<((part.max()! + 1) * rowByteCount)
      base.giveBack(elementType.isByteAligned ? read : base.bytes.indices)
    }
  }
}
