/// How much the layers that read a channel miss it, after they have made up for it as well as they can: `ChannelElimination` on
/// their inputs' second moments.
///
/// The score of a channel is the relative error that is reached when it goes, the less important ones before it. Groups that
/// no layer with known inputs reads are scored by the Euclidean norm of their weights.
public struct BrainSurgeon: ChannelCriterion {
  public let name = "obs"
  public let summary = "error that the layers behind cannot make up for (needs data)"
  public let needsStatistics = true

  public init() {}

  public func scores(for inputs: ScoringInputs) throws(CompileError) -> [[Float]?] {
    guard let statistics = inputs.statistics else {
      throw CompileError(
        .usage, "criterion obs: there are no samples", notes: ["say --calibration FILE"])
    }
    let norms = try L2Norm().scores(for: inputs)
    return inputs.coupling.groups.indices.map { index in
      let group = inputs.coupling.groups[index]
      guard group.pin == nil else { return nil }
      if let powers = Self.powers(of: group, inputs.rotatedPowers) { return powers }
      let consumers = statistics.consumers(of: group, inputs.graph)
      guard var elimination = ChannelElimination(consumers, channelCount: group.count) else {
        return norms[index]
      }
      return Self.scores(elimination.run())
    }
  }

  /// What the dimensions of turned heads have of their heads' powers; `nil` where not every member that makes them is turned.
  private static func powers(
    of group: ChannelGroup, _ rotated: [Axis: [Int: Float]]
  ) -> [Float]? {
    let lists = group.members.compactMap { member in rotated[member.axis].map { (member, $0) } }
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

  /// For each channel the error reached when it goes; the last one counts as much as all before it together.
  private static func scores(_ order: [(channel: Int, error: Double)]) -> [Float] {
    var scores = [Float](repeating: 0, count: order.count)
    var (reached, sum) = (0.0, 0.0)
    for (channel, error) in order {
      reached = error.isFinite ? max(reached, error) : max(reached, sum)
      sum += error.isFinite ? error : 0
      // Equal errors keep their order.
      reached = reached.nextUp
      scores[channel] = Float(reached)
    }
    return scores
  }
}

extension ChannelCriterion where Self == BrainSurgeon {
  public static var obs: BrainSurgeon { BrainSurgeon() }
}
