import PrunecTensors

/// The fingerprint of bytes that come in pieces, whose sizes do not matter.
package struct StreamFingerprint {
  private var words = Fingerprint()
  /// The bytes that do not make a word yet, the first in the lowest place.
  private var rest: UInt64 = 0
  private var restCount = 0
  private var count = 0

  package init() {}

  /// Adds a piece.
  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    count += bytes.count
    var bytes = bytes[...]
    while restCount > 0, let byte = bytes.popFirst() { add(byte) }
    let whole = bytes.count / 8 * 8
    words.add(UnsafeRawBufferPointer(rebasing: bytes.prefix(whole)))
    for byte in bytes.dropFirst(whole) { add(byte) }
  }

  private mutating func add(_ byte: UInt8) {
    rest |= UInt64(byte) << UInt64(8 * restCount)
    restCount += 1
    guard restCount == 8 else { return }
    words.add(rest)
    (rest, restCount) = (0, 0)
  }

  /// The fingerprint of all that has been added, in sixteen hexadecimal digits.
  package var text: String {
    var result = words
    result.add(rest)
    result.add(UInt64(count))
    return result.text
  }
}
