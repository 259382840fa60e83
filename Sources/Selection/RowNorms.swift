/// Norms of the rows of a layer's weight, one row per output channel, with the bias as a last column.
/// The weight is read where it lies, which for a mapped file is the file.
public enum RowNorms {
  /// The sum of magnitudes of each row.
  public static func absoluteSums(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float] {
    var sums = reduce(weight, axis: axis) {
      abs($0)
    } scalar: {
      abs($0)
    }
    for (row, value) in (bias?.floats ?? []).enumerated() { sums[row] += abs(value) }
    return sums
  }

  /// The Euclidean norm of each row.
  public static func euclidean(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float] {
    var sums = reduce(weight, axis: axis) {
      $0 * $0
    } scalar: {
      $0 * $0
    }
    for (row, value) in (bias?.floats ?? []).enumerated() { sums[row] += value * value }
    return sums.map { $0.squareRoot() }
  }

  /// For each index of the axis, the sum of a function of the elements there.
  @inline(__always)
  private static func reduce(
    _ weight: Tensor, axis: Int, _ term: (SIMD16<Float>) -> SIMD16<Float>,
    scalar: (Float) -> Float
  ) -> [Float] {
    let rows = weight.shape[axis]
    let outer = weight.shape[..<axis].reduce(1, *)
    let inner = weight.shape[(axis + 1)...].reduce(1, *)
    var sums = [Float](repeating: 0, count: rows)
    let tensor =
      weight.elementType == .float32 ? weight : Tensor(weight.floats, shape: weight.shape)
    tensor.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      func element(_ index: Int) -> Float {
        base.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
      }
      for block in 0..<outer {
        for row in 0..<rows {
          let start = (block * rows + row) * inner
          // Sixteen partial sums: the compiler may not reorder one running sum into vectors.
          var lanes = SIMD16<Float>()
          let whole = inner & ~15
          for offset in stride(from: 0, to: whole, by: 16) {
            lanes += term(
              base.loadUnaligned(fromByteOffset: (start + offset) * 4, as: SIMD16<Float>.self))
          }
          var sum = whole > 0 ? lanes.sum() : 0
          for offset in whole..<inner { sum += scalar(element(start + offset)) }
          sums[row] += sum
        }
      }
    }
    return sums
  }
}

/// The magnitude of each lane.
private func abs(_ vector: SIMD16<Float>) -> SIMD16<Float> {
  vector.replacing(with: -vector, where: vector .< 0)
}
