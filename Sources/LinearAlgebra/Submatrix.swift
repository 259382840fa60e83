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

  /// Some rows of a symmetric `A [width, width]` of which only the upper triangle counts, and of those some columns, in the
  /// order given; all where none are named.
  package static func symmetricRows(
    _ rows: [Int], of matrix: [Double], width: Int, columns: [Int]? = nil
  ) -> [Double] {
    let length = columns?.count ?? width
    return [Double](unsafeUninitializedCapacity: rows.count * length) { target, count in
      matrix.withUnsafeBufferPointer { matrix in
        for row in rows {
          for index in 0..<length {
            let column = columns?[index] ?? index
            target.initializeElement(
              at: count, to: matrix[min(row, column) * width + max(row, column)])
            count += 1
          }
        }
      }
    }
  }

  /// Takes rows and columns, both increasing, out of a row-major matrix whose rows have `width` elements, in place; all columns
  /// stay where none are named.
  package static func remove(
    rows: [Int], columns: [Int] = [], from matrix: inout [Double], width: Int
  ) {
    guard width > 0 else { return }
    let height = matrix.count / width
    let goneRows = Set(rows)
    // The stretches between the columns that go.
    var stretches: [Range<Int>] = []
    for (start, end) in zip([0] + columns.map { $0 + 1 }, columns + [width]) where start < end {
      stretches.append(start..<end)
    }
    let length = matrix.withUnsafeMutableBufferPointer { elements -> Int in
      guard let base = elements.baseAddress else { return 0 }
      var target = 0
      for row in 0..<height where !goneRows.contains(row) {
        for stretch in stretches {
          let source = row * width + stretch.lowerBound
          // Elements only move towards the start.
          if target != source {
            (base + target).update(from: base + source, count: stretch.count)
          }
          target += stretch.count
        }
      }
      return target
    }
    matrix.removeLast(matrix.count - length)
  }
}
