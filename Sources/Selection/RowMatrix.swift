import PrunecLinearAlgebra
import PrunecTensors

/// The rows of a layer's weight, one per output channel, with the bias as a last column.
public struct RowMatrix: Sendable {
  package let rows: Int
  package let columns: Int
  /// Row-major elements.
  package private(set) var elements: [Float]

  /// Brings `weight` into rows along `axis`. `bias`, if given, has one element a row.
  package init(_ weight: Tensor, axis: Int, bias: Tensor?) {
    let (outer, inner) = (
      weight.shape[..<axis].reduce(1, *), weight.shape[(axis + 1)...].reduce(1, *)
    )
    let rows = weight.shape[axis]
    let columns = outer * inner + (bias == nil ? 0 : 1)
    self.rows = rows
    self.columns = columns
    let biases = bias?.floats
    elements = [Float](unsafeUninitializedCapacity: rows * columns) { target, count in
      target.initialize(repeating: 0)
      // A weight is made of lines of neighbours, each a part of one row.
      var line = 0
      weight.forEachPieceOfFloats(ofUnit: max(1, inner)) { source in
        for start in stride(from: 0, to: source.count, by: inner) {
          let to = line % rows * columns + line / rows * inner
          for offset in 0..<inner { target[to + offset] = source[start + offset] }
          line += 1
        }
      }
      if let biases {
        for row in 0..<rows { target[row * columns + columns - 1] = biases[row] }
      }
      count = rows * columns
    }
  }

  /// For each row the sum of its Euclidean distances to all rows, `|a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>`.
  package var distanceSums: [Float] {
    let gram = self.gram
    var sums = [Double](repeating: 0, count: rows)
    gram.withUnsafeBufferPointer { gram in
      for a in 0..<rows {
        for b in 0..<a {
          let squared = gram[a * rows + a] + gram[b * rows + b] - 2 * gram[a * rows + b]
          let distance = Double(max(0, squared).squareRoot())
          sums[a] += distance
          sums[b] += distance
        }
      }
    }
    return sums.map(Float.init)
  }

  /// The inner products of all pairs of rows, `[rows, rows]`.
  package var gram: [Float] { LinearAlgebra.gram(of: elements, rows: rows, columns: columns) }
}
