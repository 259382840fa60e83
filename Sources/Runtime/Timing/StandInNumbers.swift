import PrunecTensors

/// Numbers that stand in for the weights of models that are only timed: how long a kernel takes does not depend on
/// what it computes with. All are of ordinary size; which of them a weight gets does not matter.
final class StandInNumbers {
  private final class Block {
    let bytes: UnsafeMutableRawBufferPointer

    init(count: Int) {
      bytes = .allocate(byteCount: 4 * count, alignment: 64)
      let numbers = bytes.bindMemory(to: Float.self)
      // Positive, as variances are.
      for index in 0..<count { numbers.initializeElement(at: index, to: Self.number(index)) }
    }

    deinit { bytes.deallocate() }

    private static func number(_ index: Int) -> Float { 0.25 + Float(index & 1023) / 2048 }
  }

  private var block = Block(count: 1 << 16)

  /// `count` numbers; a vector may be read beyond the last.
  func storage(_ count: Int) -> TensorStorage {
    let needed = count + 64
    if block.bytes.count < 4 * needed { block = Block(count: max(needed, block.bytes.count / 2)) }
    return TensorStorage(
      borrowing: UnsafeRawBufferPointer(rebasing: block.bytes[..<(4 * count)]), from: block)
  }
}
