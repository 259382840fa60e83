extension LinearAlgebra {
  /// Some rows of a row-major matrix whose rows have `width` elements, and of those some columns, in the order given; all where
  /// none are named.
  package static func submatrix(
    of matrix: [Double], width: Int, rows: [Int]? = nil, columns: [Int]? = nil
  ) -> [Double] {
    let rows = rows ?? Array(0..<(width > 0 ? matrix.count / width : 0))
    let length = columns?.count ?? width
    return [Double](unsafeUninitializedCapacity: rows.count * length) { target, count in
      matrix.withUnsafeBufferPointer { matrix in
        for row in rows {
          if let columns {
            for column in columns {
              target.initializeElement(at: count, to: matrix[row * width + column])
              count += 1
            }
          } else {
            for column in 0..<width {
              target.initializeElement(at: count, to: matrix[row * width + column])
              count += 1
            }
          }
        }
      }
    }
  }
}
