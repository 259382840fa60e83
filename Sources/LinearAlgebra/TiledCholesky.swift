import Dispatch

/// Cholesky factorization and inverse of large matrices in square tiles, on all processors.
///
/// The right-looking algorithm (Golub and Van Loan, "Matrix Computations", 4th edition, section 4.2.9). Tiles have one size, and each is
/// computed by one thread in one order: results do not depend on the number of threads.
enum TiledCholesky {
  private static let tile: Int = 256

  /// Whether a matrix has tiles enough for several threads.
  static func isWorthwhile(n: Int) -> Bool { n >= 3 * tile }

  private static func tiles(_ range: Range<Int>) -> [Range<Int>] {
    stride(from: range.lowerBound, to: range.upperBound, by: tile).map {
      $0..<min($0 + tile, range.upperBound)
    }
  }

  /// A matrix that several threads write, each other elements.
  private struct Matrix: @unchecked Sendable {
    let base: UnsafeMutablePointer<Double>
    let width: Int

    func at(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Double> {
      base + (row * width + column)
    }
  }

  /// Replaces the upper triangle of a symmetric positive definite `A [n, n]` by that of R, where A = R^T R; false where A is not positive
  /// definite.
  static func factor(_ a: inout [Double], n: Int) -> Bool {
    a.withUnsafeMutableBufferPointer { elements in
      guard let base = elements.baseAddress else { return true }
      let matrix = Matrix(base: base, width: n)
      for own in tiles(0..<n) {
        var (order, width, info) = (Int32(own.count), Int32(n), Int32(0))
        // A row-major upper triangle is the lower one of a column-major matrix.
        OpenBLAS.loaded.dpotrf(
          "L", &order, matrix.at(own.lowerBound, own.lowerBound), &width, &info)
        guard info == 0 else { return false }
        let rest = tiles(own.upperBound..<n)
        DispatchQueue.concurrentPerform(iterations: rest.count) { index in
          let columns = rest[index]
          OpenBLAS.loaded.dtrsm(
            .rowMajor, .left, .upper, .transposed, .nonUnit, Int32(own.count),
            Int32(columns.count), 1, matrix.at(own.lowerBound, own.lowerBound), Int32(n),
            matrix.at(own.lowerBound, columns.lowerBound), Int32(n))
        }
        DispatchQueue.concurrentPerform(iterations: rest.count) { index in
          let rows = rest[index]
          for columns in rest[index...] {
            OpenBLAS.loaded.dgemm(
              .rowMajor, .transposed, .asItIs, Int32(rows.count), Int32(columns.count),
              Int32(own.count), -1, matrix.at(own.lowerBound, rows.lowerBound), Int32(n),
              matrix.at(own.lowerBound, columns.lowerBound), Int32(n), 1,
              matrix.at(rows.lowerBound, columns.lowerBound), Int32(n))
          }
        }
      }
      return true
    }
  }

  /// The upper triangle of the inverse of A = R^T R, of which `r [n, n]` has R in its upper triangle; zero below the diagonal's
  /// tiles.
  static func inverse(ofFactor r: [Double], n: Int) -> [Double] {
    var half = [Double](repeating: 0, count: n * n)
    var inverse = [Double](repeating: 0, count: n * n)
    let all = tiles(0..<n)
    r.withUnsafeBufferPointer { r in
      half.withUnsafeMutableBufferPointer { half in
        inverse.withUnsafeMutableBufferPointer { inverse in
          guard let base = r.baseAddress else { return }
          let factor = Matrix(base: UnsafeMutablePointer(mutating: base), width: n)
          let columnsOfHalf = Matrix(base: half.baseAddress!, width: n)
          let result = Matrix(base: inverse.baseAddress!, width: n)
          // The columns of R^-1, longest first.
          DispatchQueue.concurrentPerform(iterations: all.count) { index in
            let columns = all[all.count - 1 - index]
            for column in columns { columnsOfHalf.at(column, column).pointee = 1 }
            OpenBLAS.loaded.dtrsm(
              .rowMajor, .left, .upper, .asItIs, .nonUnit,
              Int32(columns.upperBound), Int32(columns.count), 1, factor.at(0, 0), Int32(n),
              columnsOfHalf.at(0, columns.lowerBound), Int32(n))
          }
          // A^-1 = R^-1 R^-T
          DispatchQueue.concurrentPerform(iterations: all.count) { index in
            let rows = all[index]
            for columns in all[index...] {
              OpenBLAS.loaded.dgemm(
                .rowMajor, .asItIs, .transposed, Int32(rows.count), Int32(columns.count),
                Int32(n - columns.lowerBound), 1,
                columnsOfHalf.at(rows.lowerBound, columns.lowerBound), Int32(n),
                columnsOfHalf.at(columns.lowerBound, columns.lowerBound), Int32(n), 0,
                result.at(rows.lowerBound, columns.lowerBound), Int32(n))
            }
          }
        }
      }
    }
    return inverse
  }

  /// Subtracts `A^T A` for `a [rows, n]` from the upper triangle of `c [n, n]`; the tiles of the diagonal change as a whole.
  static func subtractGram(ofColumnsOf a: [Double], rows: Int, n: Int, from c: inout [Double]) {
    let all = tiles(0..<n)
    a.withUnsafeBufferPointer { a in
      c.withUnsafeMutableBufferPointer { c in
        guard let left = a.baseAddress, let base = c.baseAddress else { return }
        let factor = Matrix(base: UnsafeMutablePointer(mutating: left), width: n)
        let result = Matrix(base: base, width: n)
        DispatchQueue.concurrentPerform(iterations: all.count) { index in
          let own = all[index]
          OpenBLAS.loaded.dgemm(
            .rowMajor, .transposed, .asItIs, Int32(own.count), Int32(n - own.lowerBound),
            Int32(rows), -1, factor.at(0, own.lowerBound), Int32(n),
            factor.at(0, own.lowerBound), Int32(n), 1,
            result.at(own.lowerBound, own.lowerBound), Int32(n))
        }
      }
    }
  }
}
