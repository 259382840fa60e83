import PrunecCalibration

/// How soon a channel is taken up when the results of the layers behind are put together from few of them (He, Zhang and Sun,
/// "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, equations 2 and 3): the greatest lambda at which
/// its factor differs from zero in
///
///     minimise over beta  1/2 (1 - beta)^T G (1 - beta) + lambda |beta|_1
///
/// with G of `ChannelContributions`, along a path of decreasing lambdas. The weights stay as they are on the path: fitting
/// them to the channels that stay is for the compensation.
public struct Lasso: ConsumerCriterion {
  public let name = "lasso"
  public let summary = "penalty at which a lasso over channels takes it up (needs data)"

  public init() {}

  public func channelScores(_ consumers: [ChannelConsumer], channelCount: Int) -> [Float]? {
    ChannelContributions(consumers, channelCount: channelCount).map { contributions in
      var path = LassoPath(gram: contributions.gram, count: channelCount)
      return path.entries().map(Float.init)
    }
  }
}

extension ChannelCriterion where Self == Lasso {
  public static var lasso: Lasso { Lasso() }
}
