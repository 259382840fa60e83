import Glibc

extension UnsafeMutableRawBufferPointer {
  /// Allocates bytes, aligned for any vector type. The system is asked to back large blocks with large pages where it has them: a
  /// block then takes one fault for 2 MiB when it is first written, not one for 4 KiB.
  package static func allocateForVectors(byteCount: Int) -> UnsafeMutableRawBufferPointer {
    let memory = allocate(byteCount: byteCount, alignment: 64)
    guard byteCount >= 2 * largePage, let base = memory.baseAddress else { return memory }
    let start = (Int(bitPattern: base) + largePage - 1) / largePage * largePage
    let end = (Int(bitPattern: base) + byteCount) / largePage * largePage
    // Advice alone: a system without large pages declines.
    madvise(UnsafeMutableRawPointer(bitPattern: start), end - start, MADV_HUGEPAGE)
    return memory
  }

  private static var largePage: Int { 2 << 20 }
}
