import PrunecTensors

/// Norms of the rows of a layer's weight, one row per output channel, with the bias as a last column.
/// The weight is read where it lies, a piece at a time.
package enum RowNorms {
  /// The sum of magnitudes of each row.
  package static func absoluteSums(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float] {
    var sums = reduce(weight, axis: axis) {
      abs($0)
    } scalar: {
      abs($0)
    }
    for (row, value) in (bias?.floats ?? []).enumerated() { sums[row] += abs(value) }
    return sums
  }

  /// The Euclidean norm of each row.
  package static func euclidean(_ weight: Tensor, axis: Int, bias: Tensor?) -> [Float] {
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
    let inner = weight.shape[(axis + 1)...].reduce(1, *)
    var sums = [Float](repeating: 0, count: rows)
    guard weight.count > 0 else { return sums }
    sums.withUnsafeMutableBufferPointer { sums in
      let sums = UnsafeMutableRawBufferPointer(sums)
      if inner == 1 {
        // Neighbours belong to different rows.
        weight.forEachPieceOfFloats(ofUnit: rows) { elements in
          for start in stride(from: 0, to: elements.count, by: rows) {
            let base = UnsafeRawPointer(elements.baseAddress! + start)
            let whole = rows & ~15
            for offset in stride(from: 0, to: whole * 4, by: 64) {
              let added = term(base.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self))
              let sum = sums.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self)
              sums.storeBytes(of: sum + added, toByteOffset: offset, as: SIMD16<Float>.self)
            }
            for offset in stride(from: whole * 4, to: rows * 4, by: 4) {
              let added = scalar(base.load(fromByteOffset: offset, as: Float.self))
              let sum = sums.load(fromByteOffset: offset, as: Float.self)
              sums.storeBytes(of: sum + added, toByteOffset: offset, as: Float.self)
            }
          }
        }
        return
      }
      var row = 0
      weight.forEachPieceOfFloats(ofUnit: inner) { elements in
        for start in stride(from: 0, to: elements.count, by: inner) {
          let base = UnsafeRawPointer(elements.baseAddress! + start)
          // Sixteen partial sums: the compiler may not reorder one running sum into vectors.
          var lanes = SIMD16<Float>()
          let whole = inner & ~15
          for offset in stride(from: 0, to: whole * 4, by: 64) {
            lanes += term(base.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self))
          }
          var sum = whole > 0 ? lanes.sum() : 0
          for offset in stride(from: whole * 4, to: inner * 4, by: 4) {
            sum += scalar(base.load(fromByteOffset: offset, as: Float.self))
          }
          sum += sums.load(fromByteOffset: row * 4, as: Float.self)
          sums.storeBytes(of: sum, toByteOffset: row * 4, as: Float.self)
          row = row + 1 == rows ? 0 : row + 1
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
