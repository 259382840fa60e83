import Glibc

/// Where borrowed bytes can be read again after their memory has been given back, such as a mapped file.
public protocol RereadableBytes: AnyObject {
  /// Gives back the memory of bytes that have been read. Reading them again costs time and nothing
  /// else.
  func giveBack(_ bytes: UnsafeRawBufferPointer)
}

/// The bytes behind one or more tensors: owned memory, or a borrowed part of something kept alive
/// by `owner` (a mapped model file).
public final class TensorStorage: @unchecked Sendable {
  public let bytes: UnsafeRawBufferPointer
  /// Whether the bytes may be written when the storage is uniquely referenced.
  let isWritable: Bool
  private let owner: AnyObject?

  /// Allocates `byteCount` bytes, aligned for any vector type and zeroed.
  public init(zeroed byteCount: Int) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
    if byteCount > 0 { memset(memory.baseAddress!, 0, byteCount) }
    bytes = UnsafeRawBufferPointer(memory)
    isWritable = true
    owner = nil
  }

  /// Allocates `byteCount` bytes and lets `initialize` write every one of them.
  public init(byteCount: Int, initialize: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
    bytes = UnsafeRawBufferPointer(memory)
    isWritable = true
    owner = nil
    try initialize(memory)
  }

  /// Borrows `bytes`, which stay valid and unchanged for as long as `owner` lives.
  public init(borrowing bytes: UnsafeRawBufferPointer, from owner: AnyObject) {
    self.bytes = bytes
    isWritable = false
    self.owner = owner
  }

  deinit {
    if isWritable { bytes.deallocate() }
  }

  /// Says that a part of the bytes will not be read soon.
  func giveBack(_ part: Range<Int>) {
    guard let owner = owner as? any RereadableBytes, !part.isEmpty else { return }
    owner.giveBack(UnsafeRawBufferPointer(rebasing: bytes[part]))
  }
}
