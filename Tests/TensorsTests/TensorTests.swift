import PrunecTensors
import Testing

@Suite struct TensorTests {
  private let matrix = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])

  @Test func keepingIndices() {
    #expect(matrix.keeping([2, 0], alongAxis: 1) == Tensor([3, 1, 6, 4], shape: [2, 2]))
    #expect(matrix.keeping([1, 1], alongAxis: 0) == Tensor([4, 5, 6, 4, 5, 6], shape: [2, 3]))
    #expect(matrix.keeping([], alongAxis: 1) == Tensor([Float](), shape: [2, 0]))
    #expect(matrix.slice(1..<3, alongAxis: 1) == Tensor([2, 3, 5, 6], shape: [2, 2]))
    let middle = Tensor((0..<12).map(Float.init), shape: [2, 3, 2])
    #expect(middle.keeping([0, 2], alongAxis: 1).floats == [0, 1, 4, 5, 6, 7, 10, 11])
  }

  @Test func replacingElements() {
    let part = Tensor([10, 20], shape: [1, 2])
    #expect(
      matrix.replacing([[1], [2, 0]], by: part) == Tensor([1, 2, 3, 20, 5, 10], shape: [2, 3]))
    #expect(matrix.floats == [1, 2, 3, 4, 5, 6], "the tensor itself stays")
    let nothing = Tensor([Float](), shape: [0, 3])
    #expect(matrix.replacing([[], [0, 1, 2]], by: nothing) == matrix)
    let scalar = Tensor([5], shape: [])
    #expect(Tensor([1], shape: []).replacing([], by: scalar) == scalar)
  }

  @Test func whatWasKeptIsPutBack() {
    let whole = Tensor((0..<120).map(Float.init), shape: [2, 3, 4, 5])
    let indices = [[1], [0, 2], [3, 0, 1], [4, 2]]
    var part = whole
    for (axis, list) in indices.enumerated() { part = part.keeping(list, alongAxis: axis) }
    let zeros = Tensor(zeros: .float32, shape: whole.shape)
    let put = zeros.replacing(indices, by: part)
    #expect(put.floats.count { $0 != 0 } == part.floats.count { $0 != 0 })
    var again = put
    for (axis, list) in indices.enumerated() { again = again.keeping(list, alongAxis: axis) }
    #expect(again == part)
    #expect(whole.replacing(indices, by: part) == whole)
  }

  /// Every width, with rows that begin in the middle of a byte.
  @Test(arguments: ElementType.allCases.filter { $0.bitWidth > 0 && $0.bitWidth <= 8 })
  func keepingNarrowElements(type: ElementType) {
    let patterns = (0..<15).map { UInt8($0 * 7 & ((1 << type.bitWidth) - 1)) }
    let tensor = Tensor(type, shape: [3, 5], patterns: patterns)
    let kept = tensor.keeping([4, 1, 2], alongAxis: 1)
    let expected = [4, 1, 2, 9, 6, 7, 14, 11, 12].map { patterns[$0] }
    #expect(kept == Tensor(type, shape: [3, 3], patterns: expected))
    #expect(tensor.keeping([2], alongAxis: 0).patterns == Array(patterns[10...]))
    #expect(tensor.transposed([1, 0]).transposed([1, 0]) == tensor)
    let joined = Tensor.concatenated(
      [tensor.slice(0..<2, alongAxis: 1), tensor.slice(2..<5, alongAxis: 1)], alongAxis: 1)
    #expect(joined == tensor)
  }

  @Test func keepingStringsAndAbsentData() {
    let strings = Tensor(strings: ["a", "bc", "d", ""].map { Array($0.utf8) }, shape: [2, 2])
    #expect(strings.keeping([1], alongAxis: 1).strings == [Array("bc".utf8), []])
    let absent = Tensor(absent: .float32, shape: [4, 2]).keeping([0, 3], alongAxis: 0)
    #expect(absent.shape == [2, 2])
    #expect(!absent.hasData)
    #expect(absent.byteCount == 16)
  }

  @Test func copyOnWrite() {
    var copy = matrix
    copy.withMutableElements(as: Float.self) { $0[0] = 9 }
    #expect(copy.floats == [9, 2, 3, 4, 5, 6])
    #expect(matrix.floats == [1, 2, 3, 4, 5, 6])
    let storage = copy.storage.map(ObjectIdentifier.init)
    copy.withMutableElements(as: Float.self) { $0[1] = 8 }
    #expect(copy.storage.map(ObjectIdentifier.init) == storage, "nobody shares the storage")
    #expect(copy.floats == [9, 8, 3, 4, 5, 6])
  }

  /// The bytes of a mapped file are never written, whoever holds them.
  @Test func borrowedBytesAreCopiedBeforeWriting() {
    let owner = TensorStorage(zeroed: 9)
    // One byte in: a tensor in a file may begin at any address.
    let part = UnsafeRawBufferPointer(rebasing: owner.bytes[1...])
    var tensor = Tensor(.float32, shape: [2], storage: TensorStorage(borrowing: part, from: owner))
    #expect(tensor.floats == [0, 0])
    tensor.withMutableElements(as: Float.self) { $0[0] = 1 }
    #expect(tensor.floats == [1, 0])
    #expect(owner.bytes.allSatisfy { $0 == 0 })
  }

  @Test func equalityIsBitwise() {
    #expect(Tensor([Float.nan], shape: [1]) == Tensor([Float.nan], shape: [1]))
    #expect(Tensor([0.0], shape: [1]) != Tensor([-0.0], shape: [1]))
    #expect(Tensor([1, 2], shape: [2]) != Tensor([1, 2], shape: [1, 2]))
    #expect(Tensor(absent: .int8, shape: [1]) != Tensor(zeros: .int8, shape: [1]))
  }

  @Test func strides() {
    #expect([2, 3, 4].rowMajorStrides == [12, 4, 1])
    #expect(matrix.transposed([1, 0]).floats == [1, 4, 2, 5, 3, 6])
    let backwards = matrix.strided(shape: [2, 3], strides: [3, -1], offset: 2)
    #expect(backwards.floats == [3, 2, 1, 6, 5, 4])
    let repeated = Tensor(repeating: Tensor([7], shape: []), shape: [2, 2])
    #expect(repeated == Tensor([7, 7, 7, 7], shape: [2, 2]))
  }
}

@Suite struct ShapeTests {
  @Test func elementCounts() {
    #expect([Int]().checkedElementCount == 1)
    #expect([3, 0, 5].checkedElementCount == 0)
    #expect([1 << 32, 1 << 31].checkedElementCount == nil)
    #expect([2, -1].checkedElementCount == nil)
    #expect(ElementType.int4.byteCount(of: 3) == 2)
    #expect(ElementType.float6E2M3.byteCount(of: 5) == 4)
    #expect(ElementType.float32.byteCount(of: Int.max / 8) == nil)
    #expect(ElementType.string.byteCount(of: 1) == nil)
  }

  @Test func namesOfElementTypes() {
    for type in ElementType.allCases { #expect(ElementType(name: type.name) == type) }
    #expect(ElementType(name: "float32") == nil)
  }
}

@Suite struct ConversionTests {
  private func bfloat16(_ value: Float) -> UInt16 {
    Tensor(rounding: [value], to: .bfloat16, shape: [1]).array(of: UInt16.self)[0]
  }

  @Test func bfloat16RoundsToNearestEven() {
    #expect(bfloat16(1) == 0x3F80)
    // Eight bits of significand: 1 + 2^-8 lies halfway between two numbers.
    #expect(bfloat16(1 + 0x1p-8) == 0x3F80)
    #expect(bfloat16(1 + 3 * 0x1p-8) == 0x3F82)
    #expect(bfloat16(1 + 0x1.01p-8) == 0x3F81)
    #expect(bfloat16(-(1 + 0x1.01p-8)) == 0xBF81)
    #expect(bfloat16(.greatestFiniteMagnitude) == 0x7F80, "rounds up to infinity")
    #expect(bfloat16(.infinity) == 0x7F80)
    #expect(bfloat16(-0.0) == 0x8000)
  }

  @Test func nanStaysNaN() {
    // A NaN whose payload lies in the bits that are cut off must not become infinity.
    let low = Float(bitPattern: 0x7F80_0001)
    for value in [Float.nan, -Float.nan, low] {
      let tensor = Tensor(rounding: [value], to: .bfloat16, shape: [1])
      #expect(tensor.floats[0].isNaN)
    }
  }

  @Test func floatsOfEveryType() {
    let values: [Float] = [0, 1, -2.5, 0.25]
    for type in [ElementType.float32, .float64, .float16, .bfloat16] {
      #expect(Tensor(rounding: values, to: type, shape: [4]).floats == values)
    }
    #expect(Tensor([3, -4]).floats == [3, -4])
    #expect(Tensor(strings: [[65]], shape: [1]).floats.isEmpty)
    #expect(Tensor(absent: .float32, shape: [2]).floats.isEmpty)
  }

  @Test func integersOfEveryType() {
    #expect(Tensor(.uint64, shape: [1], elements: [UInt64.max]).integers == [Int.max])
    #expect(Tensor(.int8, shape: [2], elements: [Int8.min, 5]).integers == [-128, 5])
    #expect(Tensor(.bool, shape: [2], elements: [UInt8(0), 3]).integers == [0, 1])
    #expect(Tensor([1.5], shape: [1]).integers.isEmpty)
  }

  @Test func numbersOfTheGenerator() {
    // The first numbers of the published reference implementation for seed 1234567.
    var generator = SplitMix64(seed: 1_234_567)
    #expect(
      (0..<3).map { _ in generator.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      ])
    var uniform = SplitMix64(seed: 1)
    #expect((0..<1000).allSatisfy { _ in (0..<1).contains(uniform.nextUniform()) })
  }
}

@Suite struct PackedIntegerTests {
  @Test(arguments: [
    (ElementType.uint2, [0, 1, 2, 3, 0]), (.int2, [-2, -1, 0, 1, -2]), (.uint4, [0, 8, 15, 7, 1]),
    (.int4, [-8, -1, 0, 7, 3]),
  ])
  func roundTrip(type: ElementType, elements: [Int]) {
    let tensor = Tensor(packing: elements, to: type, shape: [5])
    #expect(tensor.integers == elements)
    #expect(tensor.floats == elements.map(Float.init))
    #expect(tensor.keeping([4, 1], alongAxis: 0).integers == [elements[4], elements[1]])
  }

  @Test func wrapsModuloTheWidth() {
    #expect(Tensor(packing: [16, -1, 9], to: .uint4, shape: [3]).integers == [0, 15, 9])
    #expect(Tensor(packing: [8, -9], to: .int4, shape: [2]).integers == [-8, 7])
  }
}

extension Tensor {
  /// A tensor of a type of at most eight bits, whose elements have these bit patterns.
  fileprivate init(_ type: ElementType, shape: [Int], patterns: [UInt8]) {
    var bytes = [UInt8](repeating: 0, count: type.byteCount(of: patterns.count)!)
    for (index, pattern) in patterns.enumerated() {
      for bit in 0..<type.bitWidth where pattern >> UInt8(bit) & 1 == 1 {
        let position = index * type.bitWidth + bit
        bytes[position / 8] |= 1 << UInt8(position % 8)
      }
    }
    let storage = TensorStorage(byteCount: bytes.count) { $0.copyBytes(from: bytes) }
    self.init(type, shape: shape, storage: storage)
  }

  /// The bit patterns of the elements of such a tensor.
  fileprivate var patterns: [UInt8] {
    withUnsafeBytes { bytes in
      (0..<count).map { index in
        (0..<elementType.bitWidth).reduce(UInt8(0)) { pattern, bit in
          let position = index * elementType.bitWidth + bit
          return pattern | (bytes[position / 8] >> UInt8(position % 8) & 1) << UInt8(bit)
        }
      }
    }
  }
}
