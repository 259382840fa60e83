import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecSemantics

/// All that criteria may look at.
public struct ScoringInputs: Sendable {
  public let graph: Graph
  public let facts: GraphFacts
  public let coupling: CouplingAnalysis
  /// The layers of the graph, in its order.
  package let layers: [LinearLayer]
  /// The seed of what is random.
  public let seed: UInt64
  /// Statistics of the layers' inputs on samples, where there are any.
  package let statistics: LayerStatistics?
  /// Samples that a criterion may run the graph on, where there are any.
  package let samples: (any CalibrationBatches)?
  /// For axes of weights that make turned heads, by index the share that a dimension has of its head's power.
  package let rotatedPowers: [Axis: [Int: Float]]

  package init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, seed: UInt64 = 0,
    statistics: LayerStatistics? = nil, samples: (any CalibrationBatches)? = nil,
    rotatedPowers: [Axis: [Int: Float]] = [:]
  ) {
    self.graph = graph
    self.facts = facts
    self.coupling = coupling
    self.seed = seed
    self.statistics = statistics
    self.samples = samples
    self.rotatedPowers = rotatedPowers
    layers = LinearLayer.all(in: graph, facts)
  }

  /// Scores of groups from scores of axes: for each group the mean over its members that have any, each
  /// brought to a mean of one, so that layers of different scale can be compared with each other. A channel
  /// that has several indices in one member counts their mean.
  public func groupScores(fromAxes scores: [Axis: [Float]]) -> [[Float]?] {
    coupling.groups.map { group in
      guard group.pin == nil else { return nil }
      let measured = group.members.compactMap { member in
        scores[member.axis].map { Self.channelScores(member, $0, count: group.count) }
      }
      guard !measured.isEmpty else { return nil }
      var mean = [Float](repeating: 0, count: group.count)
      for scores in measured {
        for channel in 0..<group.count { mean[channel] += scores[channel] / Float(measured.count) }
      }
      return mean
    }
  }

  private static func channelScores(
    _ member: ChannelGroup.Member, _ scores: [Float], count: Int
  ) -> [Float] {
    (0..<count).map { channel in
      member.indices(ofChannel: channel).reduce(0) { $0 + scores[Int($1)] }
        / Float(member.multiplicity)
    }.withMeanOfOne
  }
}
