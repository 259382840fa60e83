import PrunecCalibration

/// How much a channel fluctuates about its mean, which the bias of the layer behind can stand in for, weighted with the weights that
/// read it (An et al., "Fluctuation-based Adaptive Structured Pruning for Large Language Models", AAAI 2024, the weighted input
/// feature variance):
///
///     score(c) = sum over columns j of channel c of Var(x_j) * ||W[:, j]||^2
///
/// Before groups are compared their scores are standardised, as in the paper, to a deviation of one; the mean is then brought to
/// one, not zero. A layer that can have no bias counts the mean square in the place of the variance.
public struct Fluctuation: ConsumerCriterion {
  public let name = "fluctuation"
  public let summary = "variance of its activations times the squared weights behind (needs data)"

  public init() {}

  public func channelScores(_ consumers: [ChannelConsumer], channelCount: Int) -> [Float]? {
    consumers.meanScores { consumer in
      var variances = consumer.moments.meanSquares
      if consumer.takesBias {
        for (column, mean) in consumer.moments.inputMean.enumerated() {
          variances[column] = max(0, variances[column] - mean * mean)
        }
      }
      let sums = consumer.columnSums { $0 * $0 }
      return consumer.places.map { places in
        places.reduce(0) { $0 + variances[$1] * sums[$1] }
      }
    }
  }

  public func comparable(_ scores: [Float]) -> [Float] {
    let mean = scores.reduce(0, +) / Float(scores.count)
    let squares = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let deviation = (squares / Float(max(1, scores.count - 1))).squareRoot()
    return scores.map { deviation > 0 ? 1 + ($0 - mean) / deviation : 1 }
  }
}

extension ChannelCriterion where Self == Fluctuation {
  public static var fluctuation: Fluctuation { Fluctuation() }
}
