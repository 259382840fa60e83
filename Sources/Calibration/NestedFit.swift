import PrunecLinearAlgebra

/// The weights with which a layer makes up for channels that are gone, for any number of them in one order.
///
///     W' = W C[:, k] C[k, k]^-1        C = covariance + r I
///
/// where k is what stays of what the layer reads. With the channels that stay longest first, C[k, k] is a leading block of C,
/// and the Cholesky factor of it the leading block of the factor of C: one factorization serves all numbers of channels.
package struct NestedFit: Sendable {
  private let rows, length: Int
  /// The elements of a row of W: first those of no channel of the group, then channel by channel, what stays longest first.
  private let order: [Int]
  /// For each number of channels the elements of `order` that they take.
  private let lengths: [Int]
  private let factor: CholeskyFactor
  /// `W C [rows, length]`, columns by `order`.
  private let targets: [Double]

  /// `ranking` has the channels in the order in which they go. `nil` where what is read is not finite, or always zero.
  package init?(_ consumer: ChannelConsumer, ranking: [Int]) {
    let length = consumer.moments.inputs
    let rows = consumer.matrix.count / length
    let ofChannels = Set(consumer.places.flatMap { $0 })
    var order = (0..<length).filter { !ofChannels.contains($0) }
    var lengths = [order.count]
    for channel in ranking.reversed() {
      order += consumer.places[channel]
      lengths.append(order.count)
    }
    guard
      let square = consumer.ridgedCovariance.map({
        LinearAlgebra.submatrix(of: $0, width: length, rows: order, columns: order)
      })
    else { return nil }
    // Every element of a row is in the order: the columns of W go along.
    let matrix = LinearAlgebra.submatrix(of: consumer.matrix, width: length, columns: order)
    let targets = LinearAlgebra.product(matrix, square, m: rows, k: length, n: length)
    guard let factor = CholeskyFactor(square, n: length) else { return nil }
    (self.rows, self.length, self.order, self.lengths) = (rows, length, order, lengths)
    (self.factor, self.targets) = (factor, targets)
  }

  /// The weights `[rows, length]` when `count` channels stay, zero for those that are gone; `nil` where they are not finite.
  package func matrix(keeping count: Int) -> [Double]? {
    let size = lengths[count]
    let right = LinearAlgebra.submatrix(
      of: targets, width: order.count, columns: Array(0..<size))
    let solution = factor.solve(right, leading: size, count: rows)
    guard solution.allSatisfy(\.isFinite) else { return nil }
    var matrix = [Double](repeating: 0, count: rows * length)
    for row in 0..<rows {
      for column in 0..<size {
        matrix[row * length + order[column]] = solution[row * size + column]
      }
    }
    return matrix
  }
}
