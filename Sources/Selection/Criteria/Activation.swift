import PrunecCalibration

/// Root mean square of a channel's activations, as the layers behind read them (Polyak and Wolf, "Channel-Level Acceleration of
/// Deep Face Representations", IEEE Access 2015; as the mean in Molchanov et al., "Pruning Convolutional Neural Networks for
/// Resource Efficient Inference", ICLR 2017, section 2.2).
///
/// The root mean square rather than the mean: activations of either sign do not cancel. Under a convolution a channel's elements
/// count once for each tap that meets them, and padding counts as zeros.
public struct Activation: ConsumerCriterion {
  public let name = "activation"
  public let summary = "root mean square of its activations (needs data)"

  public init() {}

  public func channelScores(_ consumers: [ChannelConsumer], channelCount: Int) -> [Float]? {
    consumers.meanScores { consumer in
      let squares = consumer.moments.meanSquares
      return consumer.places.map { places in
        (places.reduce(0) { $0 + squares[$1] } / Double(max(1, places.count))).squareRoot()
      }
    }
  }
}

extension ChannelCriterion where Self == Activation {
  public static var activation: Activation { Activation() }
}
