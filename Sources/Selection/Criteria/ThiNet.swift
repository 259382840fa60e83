import PrunecCalibration

/// How much the results of the layers behind change when a channel goes, those before it gone already (Luo, Wu and Lin, "ThiNet: A
/// Filter Level Pruning Method for Deep Neural Network Compression", ICCV 2017, equation 6 and algorithm 1).
///
/// Each time the channel goes with which the contributions of all that have gone have the least squared sum, `1^T G[T, T] 1` for
/// a set T of them (`ChannelContributions`). G takes the place of the sampled positions of the paper, and is centred where a bias can
/// take up the means. What stays is not scaled to make up for what has gone: that is for the compensation.
public struct ThiNet: ConsumerCriterion {
  public let name = "thinet"
  public let summary = "change of the results behind, greedily (needs data)"

  public init() {}

  public func channelScores(_ consumers: [ChannelConsumer], channelCount: Int) -> [Float]? {
    ChannelContributions(consumers, channelCount: channelCount).map {
      RemovalOrder.scores(Self.order($0))
    }
  }

  /// The channels in the order in which they go, with the squared sum that is reached.
  private static func order(
    _ contributions: ChannelContributions
  ) -> [(channel: Int, error: Double)] {
    let (count, gram) = (contributions.count, contributions.gram)
    // By how much the squared sum would grow with each channel.
    var growth = (0..<count).map { gram[$0 * count + $0] }
    var left = Array(0..<count)
    var order: [(channel: Int, error: Double)] = []
    var reached = 0.0
    while let next = left.min(by: { (growth[$0], $0) < (growth[$1], $1) }) {
      reached += growth[next]
      order.append((next, max(0, reached)))
      left.removeAll { $0 == next }
      for channel in left { growth[channel] += 2 * gram[next * count + channel] }
    }
    return order
  }
}

extension ChannelCriterion where Self == ThiNet {
  public static var thinet: ThiNet { ThiNet() }
}
