import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR

/// A criterion that looks at nothing but the layers that read a channel, and what they read on samples.
///
/// Two kinds of groups are scored otherwise. Dimensions of turned heads count the shares that they have of their heads' powers.
/// Channels that no layer with known inputs reads count the Euclidean norm of their weights.
public protocol ConsumerCriterion: ChannelCriterion {
  /// The scores of channels that `consumers`, at least one, read; `nil` where those read nothing but zeros.
  func channelScores(_ consumers: [ChannelConsumer], channelCount: Int) -> [Float]?

  /// Makes the scores of a group, none of which is negative, comparable with those of other groups.
  func comparable(_ scores: [Float]) -> [Float]
}

extension ConsumerCriterion {
  public var needsStatistics: Bool { true }

  /// The scores brought to a mean of one.
  public func comparable(_ scores: [Float]) -> [Float] { scores.withMeanOfOne }

  public func scores(for inputs: ScoringInputs) throws(CompileError) -> [[Float]?] {
    guard let statistics = inputs.statistics else {
      throw CompileError(
        .usage, "criterion \(name): there are no samples", notes: ["say --calibration FILE"])
    }
    let norms = try L2Norm().scores(for: inputs)
    return concurrentMap(Array(inputs.coupling.groups.indices)) { index in
      let group = inputs.coupling.groups[index]
      guard group.pin == nil else { return nil }
      if let powers = inputs.rotatedPowers(of: group) { return comparable(powers) }
      let consumers = statistics.consumers(of: group, inputs.graph)
      guard !consumers.isEmpty,
        let scores = channelScores(consumers, channelCount: group.count)
      else { return norms[index] }
      return comparable(scores)
    }
  }
}

extension ScoringInputs {
  /// Shares of their heads' powers that dimensions of turned heads have; `nil` where not every member that makes them is turned.
  fileprivate func rotatedPowers(of group: ChannelGroup) -> [Float]? {
    let lists = group.members.compactMap { member in
      rotatedPowers[member.axis].map { (member, $0) }
    }
    guard !lists.isEmpty else { return nil }
    var sums = [Float](repeating: 0, count: group.count)
    for (member, powers) in lists {
      for channel in 0..<group.count {
        for index in member.indices(ofChannel: channel) {
          guard let power = powers[Int(index)] else { return nil }
          sums[channel] += power
        }
      }
    }
    return sums
  }
}

extension [ChannelConsumer] {
  /// The mean over the consumers of what each says of its channels, brought to a mean of one; `nil` where that is zero
  /// throughout.
  func meanScores(_ scores: (ChannelConsumer) -> [Double]) -> [Float]? {
    let measured = map { scores($0).map(Float.init).withMeanOfOne }
      .filter { list in list.contains { $0 > 0 } }
    guard let first = measured.first else { return nil }
    return first.indices.map { channel in
      measured.reduce(0) { $0 + $1[channel] } / Float(measured.count)
    }
  }
}

extension [Float] {
  /// The elements divided by their mean, where that is above zero.
  var withMeanOfOne: [Float] {
    let mean = reduce(0, +) / Float(count)
    return mean > 0 ? map { $0 / mean } : self
  }
}
