extension Tensor {
  /// The elements of a type of two or four bits, which lie packed from the least significant bits on; of a
  /// floating point type their patterns.
  var packedIntegers: [Int] {
    let width = elementType.bitWidth
    let isSigned = elementType == .int4 || elementType == .int2
    return withUnsafeBytes { bytes in
      guard !bytes.isEmpty else { return [] }
      return (0..<count).map { index in
        let byte = Int(bytes[index * width / 8])
        let element = (byte >> (index * width % 8)) & ((1 << width) - 1)
        return isSigned && element >> (width - 1) == 1 ? element - (1 << width) : element
      }
    }
  }

  /// A tensor of elements of two or four bits that holds `values`, integers or patterns, modulo their width.
  public init(packing values: [Int], to elementType: ElementType, shape: [Int]) {
    precondition(elementType.bitWidth == 2 || elementType.bitWidth == 4)
    let width = elementType.bitWidth
    self.init(zeros: elementType, shape: shape)
    withUnsafeMutableBytes { bytes in
      for (index, value) in values.enumerated() {
        let element = UInt8(truncatingIfNeeded: value & ((1 << width) - 1))
        bytes[index * width / 8] |= element << UInt8(index * width % 8)
      }
    }
  }
}
