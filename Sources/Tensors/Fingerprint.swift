/// A hash that is the same in every process: equal contents have equal ones, and others almost certainly different ones.
///
/// After FNV-1a (Fowler, Noll, Vo), by eight bytes at a time, with the upper half mixed into the lower. It is no protection against
/// contents that are made to collide.
public struct Fingerprint: Sendable {
  public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  public init() {}

  /// The value in sixteen hexadecimal digits.
  public var text: String { value.hexadecimal }

  /// Adds the extents and the elements of a tensor.
  public mutating func add(_ tensor: Tensor) {
    for extent in tensor.shape { add(UInt64(extent)) }
    tensor.withUnsafeBytes { add($0) }
  }

  /// Adds a text.
  public mutating func add(_ text: String) {
    var text = text
    text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    let whole = bytes.count / 8 * 8
    for offset in stride(from: 0, to: whole, by: 8) {
      add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    for byte in bytes[whole...] { add(UInt64(byte)) }
  }

  public mutating func add(_ word: UInt64) {
    value = (value ^ word) &* 0x0000_0100_0000_01B3
    value ^= value >> 32
  }
}

extension UInt64 {
  /// The number in sixteen hexadecimal digits.
  package var hexadecimal: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
