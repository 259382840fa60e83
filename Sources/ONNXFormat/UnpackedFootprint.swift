/// An estimate of the memory that protobuf-c takes to unpack a file, from how it allocates.
///
/// Sums do not overflow: every term is at most a few hundred bytes for each byte of a file.
struct UnpackedFootprint {
  /// What `malloc` adds to a block, rounding included.
  private static let allocationOverhead = 16
  /// protobuf-c lists the fields of a message before it reads them: 32 bytes each in slabs that
  /// double, the first 16 on the stack.
  private static let bytesPerScannedField = 64
  private static let scannedFieldsOnStack = 16

  private var allocated = 0
  private var largestScan = 0

  var peakByteCount: Int { allocated + largestScan }

  mutating func addMessage(size: Int) { allocated += size + Self.allocationOverhead }

  mutating func addAllocation(byteCount: Int) { allocated += byteCount + Self.allocationOverhead }

  /// An element of a repeated field.
  mutating func addElement(size: Int) { allocated += size }

  mutating func addElements(_ count: Int, size: Int) { allocated += count * size }

  /// A field that the schema does not know: a record, and a copy of its bytes.
  mutating func addUnknownField(byteCount: Int) {
    allocated += 32 + byteCount + Self.allocationOverhead
  }

  /// The list of a message's fields, which lives while the message is read.
  mutating func noteScan(ofFields count: Int) {
    guard count > Self.scannedFieldsOnStack else { return }
    largestScan = max(largestScan, count * Self.bytesPerScannedField)
  }
}
