import PrunecCalibration

/// Magnitudes of the weights that read a channel, each times the norm of what it is multiplied with (Sun et al., "A Simple and
/// Effective Pruning Approach for Large Language Models", ICLR 2024, equation 1, there for single weights):
///
///     score(c) = sum over columns j of channel c, rows i of |W[i, j]| * ||x_j||
///
/// with `||x_j||` the root mean square of the column's inputs, which is their norm but for the number of rows.
public struct Wanda: ConsumerCriterion {
  public let name = "wanda"
  public let summary =
    "magnitudes of the weights behind times norms of inputs (needs data)"

  public init() {}

  public func channelScores(_ consumers: [ChannelConsumer], channelCount: Int) -> [Float]? {
    consumers.meanScores { consumer in
      let squares = consumer.moments.meanSquares
      let sums = consumer.columnSums { abs($0) }
      return consumer.places.map { places in
        places.reduce(0) { $0 + sums[$1] * squares[$1].squareRoot() }
      }
    }
  }
}

extension ChannelCriterion where Self == Wanda {
  public static var wanda: Wanda { Wanda() }
}
