import PrunecCalibration

/// How much the layers that read a channel miss it, after they have made up for it as well as they can: `ChannelElimination` on
/// their inputs' second moments.
///
/// The score of a channel is the relative error that is reached when it goes, the less important ones before it.
public struct BrainSurgeon: ConsumerCriterion {
  public let name = "obs"
  public let summary = "error that the layers behind cannot make up for (needs data)"

  public init() {}

  public func channelScores(_ consumers: [ChannelConsumer], channelCount: Int) -> [Float]? {
    guard var elimination = ChannelElimination(consumers, channelCount: channelCount) else {
      return nil
    }
    return RemovalOrder.scores(elimination.run())
  }

  /// Relative errors are comparable as they are.
  public func comparable(_ scores: [Float]) -> [Float] { scores }
}

extension ChannelCriterion where Self == BrainSurgeon {
  public static var obs: BrainSurgeon { BrainSurgeon() }
}
