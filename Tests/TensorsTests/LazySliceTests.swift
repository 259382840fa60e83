import PrunecTensors
import Testing

/// Lazy slices are like eager ones, whatever is done with them.
@Suite struct LazySliceTests {
  /// A tensor of `shape` with other bytes everywhere.
  private func tensor(_ type: ElementType, _ shape: [Int]) -> Tensor {
    guard let byteCount = type.byteCount(of: shape.elementCount) else {
      return Tensor(strings: (0..<shape.elementCount).map { Array("\($0)".utf8) }, shape: shape)
    }
    var generator = SplitMix64(seed: UInt64(byteCount))
    let storage = TensorStorage(byteCount: byteCount) { bytes in
      for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: generator.next()) }
    }
    return Tensor(type, shape: shape, storage: storage)
  }

  private func bytes(_ tensor: Tensor) -> [UInt8] { tensor.withUnsafeBytes { Array($0) } }

  private func pieces(_ tensor: Tensor) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    tensor.forEachPiece { pieces.append(Array($0)) }
    return pieces
  }

  @Test(arguments: ElementType.allCases)
  func everyTypeAndAxis(type: ElementType) {
    let tensor = tensor(type, [4, 5, 3])
    for (axis, indices) in [(0, [1, 2]), (1, [4, 0, 3]), (2, [2]), (0, []), (1, [2, 2])] {
      let lazy = tensor.lazilyKeeping(indices, alongAxis: axis)
      let eager = tensor.keeping(indices, alongAxis: axis)
      #expect(lazy == eager)
      #expect(lazy.shape == eager.shape)
      #expect(lazy.byteCount == eager.byteCount)
      #expect(lazy.hasData)
      #expect(bytes(lazy) == bytes(eager))
      #expect(lazy.strings == eager.strings)
      #expect(pieces(lazy).flatMap { $0 } == bytes(eager))
      #expect(lazy.contiguous == eager)
      #expect(lazy.reshaped([eager.count]) == eager.reshaped([eager.count]))
      #expect(lazy.transposed([2, 0, 1]) == eager.transposed([2, 0, 1]))
      #expect(
        lazy.keeping([0], alongAxis: axis == 2 ? 1 : 2)
          == eager.keeping([0], alongAxis: axis == 2 ? 1 : 2))
      #expect(
        Tensor.concatenated([lazy, tensor], alongAxis: axis)
          == Tensor.concatenated([eager, tensor], alongAxis: axis))
    }
  }

  @Test(arguments: ElementType.allCases)
  func severalCuts(type: ElementType) {
    let tensor = tensor(type, [4, 5, 3])
    let cuts: [(axis: Int, indices: [Int])] = [
      (1, [0, 2, 3, 4]), (0, [1, 3]), (1, [1, 3]), (2, [0, 2]),
    ]
    var (lazy, eager) = (tensor, tensor)
    for cut in cuts {
      lazy = lazy.lazilyKeeping(cut.indices, alongAxis: cut.axis)
      eager = eager.keeping(cut.indices, alongAxis: cut.axis)
      #expect(lazy == eager)
      #expect(lazy.shape == eager.shape)
    }
  }

  @Test func absentData() {
    let lazy = Tensor(absent: .float32, shape: [4, 2]).lazilyKeeping([0, 3], alongAxis: 0)
    #expect(lazy == Tensor(absent: .float32, shape: [2, 2]))
    #expect(pieces(lazy).isEmpty)
    #expect(lazy != Tensor([1, 2, 3, 4], shape: [2, 2]))
  }

  @Test func writingLeavesTheBaseAlone() {
    let base = Tensor([1, 2, 3, 4], shape: [2, 2])
    var lazy = base.lazilyKeeping([1], alongAxis: 1)
    lazy.withMutableElements(as: Float.self) { $0[0] = 9 }
    #expect(lazy.floats == [9, 4])
    #expect(base.floats == [1, 2, 3, 4])
  }

  /// Rows of 256 KiB, so that a piece has some but not all of them.
  @Test func largeSlicesComeInPieces() {
    let tensor = tensor(.float16, [17, 2, 1 << 16])
    let rows = [0, 2, 3, 5, 6, 7, 9, 12, 16]
    let lazy = tensor.lazilyKeeping(rows, alongAxis: 0).lazilyKeeping([1], alongAxis: 1)
    let eager = tensor.keeping(rows, alongAxis: 0).keeping([1], alongAxis: 1)
    let pieces = pieces(lazy)
    #expect(pieces.count > 1)
    #expect(pieces.flatMap { $0 } == bytes(eager))
    #expect(lazy == eager)
  }
}

@Suite struct PieceTests {
  /// Bytes that tell what has been given back.
  private final class Source: RereadableBytes {
    let storage: TensorStorage
    private(set) var givenBack: [Range<Int>] = []

    init(byteCount: Int) {
      storage = TensorStorage(byteCount: byteCount) { bytes in
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index * 7) }
      }
    }

    func giveBack(_ bytes: UnsafeRawBufferPointer) {
      let start = bytes.baseAddress! - storage.bytes.baseAddress!
      givenBack.append(start..<(start + bytes.count))
    }

    func tensor(_ type: ElementType, _ shape: [Int]) -> Tensor {
      Tensor(type, shape: shape, storage: TensorStorage(borrowing: storage.bytes, from: self))
    }
  }

  @Test func whatIsReadIsGivenBack() {
    let source = Source(byteCount: 3 << 20)
    let tensor = source.tensor(.uint8, [3, 1 << 20])
    var lengths: [Int] = []
    tensor.forEachPiece { lengths.append($0.count) }
    #expect(lengths.reduce(0, +) == 3 << 20)
    #expect(lengths.count > 1)
    #expect(source.givenBack.map(\.count) == lengths)
    #expect(source.givenBack.last?.upperBound == 3 << 20)
  }

  @Test func ofSlicesToo() {
    let source = Source(byteCount: 3 << 20)
    let slice = source.tensor(.uint8, [3, 1 << 20]).lazilyKeeping([0, 2], alongAxis: 0)
      .lazilyKeeping([5, 6], alongAxis: 1)
    var bytes: [UInt8] = []
    slice.forEachPiece { bytes += $0 }
    #expect(bytes == [5, 6, 2 << 20 + 5, 2 << 20 + 6].map { UInt8(truncatingIfNeeded: $0 * 7) })
    #expect(source.givenBack == [0..<(1 << 20), (2 << 20)..<(3 << 20)])
  }

  @Test(arguments: [ElementType.float32, .float16, .bfloat16, .float64, .int32, .int4])
  func floats(type: ElementType) {
    let count = 7 * 100_000
    let byteCount = type.byteCount(of: count)!
    // One byte in: a tensor in a file may begin at any address.
    let source = Source(byteCount: byteCount + 1)
    let part = UnsafeRawBufferPointer(rebasing: source.storage.bytes[1...])
    let tensor = Tensor(
      type, shape: [count], storage: TensorStorage(borrowing: part, from: source))
    var floats: [Float] = []
    var isWhole = true
    tensor.forEachPieceOfFloats(ofUnit: 7) {
      isWhole = isWhole && $0.count % 7 == 0
      floats += $0
    }
    #expect(isWhole)
    #expect(floats.map(\.bitPattern) == tensor.floats.map(\.bitPattern))
  }

  @Test func everyFloat16() {
    let patterns = (0...UInt16.max).map { $0 }
    let floats = Tensor(.float16, shape: [patterns.count], elements: patterns).floats
    let differing = zip(patterns, floats).filter { pattern, float in
      Float(Float16(bitPattern: pattern)).bitPattern != float.bitPattern
    }
    #expect(differing.isEmpty)
  }
}
