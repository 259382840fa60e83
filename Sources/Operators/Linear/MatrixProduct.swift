/// Products of row-major matrices: the inner loops that `Gemm` and `MatMul` share.
enum MatrixProduct {
  /// Adds `a b` to `c`, with `a [m, k]`, `b [k, n]`, `c [m, n]`.
  ///
  /// Four rows of `b` at a time, so that a row of `c` is loaded and stored once for four products;
  /// the innermost loop runs over contiguous columns and vectorises.
  static func accumulate(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
    m: Int, k: Int, n: Int
  ) {
    for i in 0..<m {
      let (row, target) = (a + i * k, c + i * n)
      var p = 0
      while p + 4 <= k {
        let (a0, a1, a2, a3) = (row[p], row[p + 1], row[p + 2], row[p + 3])
        let b0 = b + p * n
        let (b1, b2, b3) = (b0 + n, b0 + 2 * n, b0 + 3 * n)
        for j in 0..<n {
          target[j] += a0 * b0[j] + a1 * b1[j] + (a2 * b2[j] + a3 * b3[j])
        }
        p += 4
      }
      while p < k {
        let (factor, source) = (row[p], b + p * n)
        for j in 0..<n { target[j] += factor * source[j] }
        p += 1
      }
    }
  }

  /// Adds `a b` to `c` where `b` is stored transposed: `a [m, k]`, `b [n, k]`, `c [m, n]`.
  static func accumulateTransposed(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
    m: Int, k: Int, n: Int
  ) {
    for i in 0..<m {
      for j in 0..<n { c[i * n + j] += dot(a + i * k, b + j * k, k) }
    }
  }

  /// The scalar product, with sixteen partial sums: one alone could not be vectorised without
  /// changing the order of additions.
  private static func dot(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int
  ) -> Float {
    var partial = SIMD16<Float>.zero
    var index = 0
    while index + 16 <= count {
      partial +=
        UnsafeRawPointer(a + index).loadUnaligned(as: SIMD16<Float>.self)
        * UnsafeRawPointer(b + index).loadUnaligned(as: SIMD16<Float>.self)
      index += 16
    }
    var sum = partial.sum()
    while index < count {
      sum += a[index] * b[index]
      index += 1
    }
    return sum
  }

  /// Adds `a b` to `c` in integers, modulo 2^64.
  static func accumulate(
    _ a: UnsafePointer<Int>, _ b: UnsafePointer<Int>, into c: UnsafeMutablePointer<Int>,
    m: Int, k: Int, n: Int
  ) {
    for i in 0..<m {
      for p in 0..<k {
        let factor = a[i * k + p]
        for j in 0..<n { c[i * n + j] &+= factor &* b[p * n + j] }
      }
    }
  }

  /// The row-major transpose of a `[rows, columns]` matrix, in tiles that stay in the cache.
  static func transpose(_ matrix: [Float], rows: Int, columns: Int) -> [Float] {
    let tile = 32
    return [Float](unsafeUninitializedCapacity: matrix.count) { target, count in
      matrix.withUnsafeBufferPointer { source in
        for rowStart in stride(from: 0, to: rows, by: tile) {
          for columnStart in stride(from: 0, to: columns, by: tile) {
            for column in columnStart..<min(columnStart + tile, columns) {
              for row in rowStart..<min(rowStart + tile, rows) {
                target.initializeElement(
                  at: column * rows + row, to: source[row * columns + column])
              }
            }
          }
        }
      }
      count = matrix.count
    }
  }
}
