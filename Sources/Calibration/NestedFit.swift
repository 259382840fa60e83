import LinearAlgebra

/// The weights with which a layer makes up for channels that are gone, for any number of them in one order.
///
///     W' = W C[:, k] C[k, k]^-1        C = covariance + r I
///
/// where k is what stays of what the layer reads. With the channels that stay longest first, C[k, k] is a leading block of C,
/// and the Cholesky factor of it the leading block of the factor of C: one factorization serves all numbers of channels.
public struct NestedFit: Sendable {
  private let rows, length: Int
  /// The elements of a row of W: first those of no channel of the group, then channel by channel, what stays longest first.
  private let order: [Int]
  /// For each number of channels the elements of `order` that they take.
  private let lengths: [Int]
  private let factor: CholeskyFactor
  /// `W C [rows, length]`, columns by `order`.
  private let targets: [Double]

  /// Part of the mean of the diagonal that is added to it.
  private static let ridge = 1e-2

  /// `ranking` has the channels in the order in which they go. `nil` where what is read is not finite, or always zero.
  public init?(_ consumer: ChannelConsumer, ranking: [Int]) {
    let length = consumer.moments.inputs
    let rows = consumer.matrix.count / length
    let ofChannels = Set(consumer.places.flatMap { $0 })
    var order = (0..<length).filter { !ofChannels.contains($0) }
    var lengths = [order.count]
    for channel in ranking.reversed() {
      order += consumer.places[channel]
      lengths.append(order.count)
    }
    var covariance = consumer.covariance
    let mean = (0..<length).reduce(0) { $0 + covariance[$1 * length + $1] } / Double(length)
    for index in 0..<length { covariance[index * length + index] += Self.ridge * mean }
    let count = order.count
    let ordered = [Double](unsafeUninitializedCapacity: length * count) { target, size in
      for row in 0..<length {
        for column in order {
          target.initializeElement(at: size, to: covariance[row * length + column])
          size += 1
        }
      }
    }
    let targets = LinearAlgebra.product(consumer.matrix, ordered, m: rows, k: length, n: count)
    let square = order.flatMap { ordered[($0 * count)..<(($0 + 1) * count)] }
    guard let factor = CholeskyFactor(square, n: count) else { return nil }
    (self.rows, self.length, self.order, self.lengths) = (rows, length, order, lengths)
    (self.factor, self.targets) = (factor, targets)
  }

  /// The weights `[rows, length]` when `count` channels stay, zero for those that are gone; `nil` where they are not finite.
  public func matrix(keeping count: Int) -> [Double]? {
    let size = lengths[count]
    let right = [Double](unsafeUninitializedCapacity: rows * size) { target, filled in
      for row in 0..<rows {
        for column in 0..<size {
          target.initializeElement(at: filled, to: targets[row * order.count + column])
          filled += 1
        }
      }
    }
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
