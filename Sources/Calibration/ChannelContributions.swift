import PrunecLinearAlgebra

/// What each channel adds to the results of the layers that read it, as products of one channel's contributions with another's.
///
/// Channel c adds `W_c x_c` to a consumer's results. With C the covariance of the consumer's inputs x, or their second moment where
/// it can have no bias that takes up the means,
///
///     G[c, d] = E[(W_c x_c)^T (W_d x_d)] = tr(W_c C_cd W_d^T)
///
/// so that the results change by `v^T G v`, squared, where the contribution of channel c is multiplied with `1 - v_c`.
/// That counts relative to the power `tr(W C W^T)` of the consumer's results, and is added up over all consumers.
package struct ChannelContributions: Sendable {
  /// Number n of channels.
  package let count: Int
  /// `G [n, n]`, symmetric.
  package let gram: [Double]

  /// `nil` where no consumer's results have any power.
  package init?(_ consumers: [ChannelConsumer], channelCount: Int) {
    var gram = [Double](repeating: 0, count: channelCount * channelCount)
    var isKnown = false
    for consumer in consumers {
      let length = consumer.moments.inputs
      let rows = consumer.matrix.count / length
      var products = LinearAlgebra.product(
        consumer.matrix, consumer.matrix, m: length, k: rows, n: length, transposesA: true)
      let covariance = consumer.covariance
      for index in products.indices { products[index] *= covariance[index] }
      let power = products.reduce(0, +)
      guard power > 0, power.isFinite else { continue }
      isKnown = true
      Self.add(products, length, consumer.places, 1 / power, to: &gram)
    }
    guard isKnown else { return nil }
    (count, self.gram) = (channelCount, gram)
  }

  /// Adds the sums over the blocks of `products [length, length]` that belong to two channels, times `scale`.
  private static func add(
    _ products: [Double], _ length: Int, _ places: [[Int]], _ scale: Double,
    to gram: inout [Double]
  ) {
    products.withUnsafeBufferPointer { products in
      for (channel, from) in places.enumerated() {
        for (other, to) in places.enumerated() {
          var sum = 0.0
          for row in from {
            for column in to { sum += products[row * length + column] }
          }
          gram[channel * places.count + other] += sum * scale
        }
      }
    }
  }
}
