import Glibc

extension TensorStorage {
  /// Large enough for what it costs to begin a piece not to matter, and small enough for a cache.
  static let pieceByteCount = 1 << 20

  /// Calls `body` with the bytes in order, so many whole units at a time, and gives back the memory of
  /// those that have been read.
  fileprivate func forEachPiece(ofUnit unit: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
    let length = max(1, Self.pieceByteCount / unit) * unit
    for start in stride(from: 0, to: bytes.count, by: length) {
      let part = start..<min(start + length, bytes.count)
      body(UnsafeRawBufferPointer(rebasing: bytes[part]))
      giveBack(part)
    }
  }
}

extension Tensor {
  /// Calls `body` with the tensor's bytes in order, a piece at a time. However large the tensor, no more
  /// than a piece of it need be in memory, which is given back after each call where it can be read again
  /// (from a mapped file). No call without data.
  ///
  /// For single passes over large tensors.
  public func forEachPiece(_ body: (UnsafeRawBufferPointer) -> Void) {
    switch payload {
    case .bytes(let storage): storage.forEachPiece(ofUnit: 1, body)
    case .slice(let slice): slice.forEachPiece(body)
    case .strings, .absent: return
    }
  }

  /// Says that the bytes will not be read soon: their memory is given back where they can be read again (from a
  /// mapped file).
  public func giveBack() {
    if case .bytes(let storage) = payload { storage.giveBack(storage.bytes.indices) }
  }

  /// Calls `body` with the elements as float32, as `floats` has them, a piece at a time. Pieces have a
  /// whole number of `unit` elements; the tensor's number of elements must be a multiple of it.
  public func forEachPieceOfFloats(ofUnit unit: Int, _ body: (UnsafeBufferPointer<Float>) -> Void) {
    switch elementType {
    case .float32, .float16, .bfloat16: break
    default:
      let floats = floats
      if !floats.isEmpty { floats.withUnsafeBufferPointer(body) }
      return
    }
    guard count > 0 else { return }
    var buffer: [Float] = []
    storage?.forEachPiece(ofUnit: unit * elementType.bitWidth / 8) { bytes in
      if elementType == .float32, Int(bitPattern: bytes.baseAddress) % 4 == 0 {
        body(bytes.assumingMemoryBound(to: Float.self))
        return
      }
      let count = bytes.count * 8 / elementType.bitWidth
      if buffer.count < count { buffer = [Float](repeating: 0, count: count) }
      buffer.withUnsafeMutableBufferPointer { buffer in
        let floats = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
        Self.widen(bytes, of: elementType, into: floats)
        body(UnsafeBufferPointer(floats))
      }
    }
  }

  /// Converts elements of a floating point type of at most 32 bits, at any alignment.
  static func widen(
    _ bytes: UnsafeRawBufferPointer, of elementType: ElementType,
    into floats: UnsafeMutableBufferPointer<Float>
  ) {
    guard let source = bytes.baseAddress else { return }
    switch elementType {
    case .float32: memcpy(floats.baseAddress!, source, bytes.count)
    case .float16:
      for index in floats.indices {
        floats[index] = Float(
          float16Pattern: source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
      }
    case .bfloat16:
      for index in floats.indices {
        let pattern = source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
        floats[index] = Float(bitPattern: UInt32(pattern) << 16)
      }
    default: preconditionFailure("\(elementType) is not one of these types")
    }
  }
}

extension Float {
  /// The value of a float16. The conversion that Swift has is a call for each element; this one is
  /// arithmetic, which becomes vectors.
  init(float16Pattern pattern: UInt16) {
    let magnitude = UInt32(pattern & 0x7FFF)
    // The exponents differ by 112 in bias; multiplied by that power, subnormal numbers come out too.
    var bits = (Float(bitPattern: magnitude << 13) * 0x1p112).bitPattern
    bits |= magnitude > 0x7BFF ? 0x7F80_0000 : 0
    bits |= magnitude > 0x7C00 ? 0x0040_0000 : 0
    self.init(bitPattern: bits | UInt32(pattern & 0x8000) << 16)
  }
}
