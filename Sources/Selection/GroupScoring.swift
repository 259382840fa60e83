/// Scores the channels of all groups of a graph by one criterion.
///
/// A group's score is the mean over its members that make channels out of weights, each brought to a
/// mean of one, so that layers of different scale can be compared with each other; a channel that
/// has several rows in one member counts their mean.
public struct GroupScoring {
  private let facts: GraphFacts
  private let coupling: CouplingAnalysis
  private let criterion: Criterion
  private let seed: UInt64
  /// For each axis of a weight that makes channels: the score of each index.
  private var axisScores: [Axis: [Float]] = [:]

  public init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, criterion: Criterion,
    seed: UInt64
  ) {
    self.facts = facts
    self.coupling = coupling
    self.criterion = criterion
    self.seed = seed
    switch criterion {
    case .l1, .l2, .fpgm:
      for layer in LinearLayer.all(in: graph, facts) {
        score(
          layer.weight, axis: layer.outputAxis, bias: layer.bias, zero: layer.weightZero)
        if let (weight, axis) = layer.recurrent { score(weight, axis: axis) }
      }
    case .bnScale:
      for id in graph.nodes where graph[id].operation == OperationName("BatchNormalization") {
        if let scale = graph[id].inputs[1], let tensor = graph[scale].constant, tensor.hasData {
          axisScores[Axis(scale, 0)] = tensor.floats.map(abs)
        }
      }
    case .random: break
    }
  }

  private mutating func score(
    _ weight: ValueID, axis index: Int, bias: ValueID? = nil, zero: Int = 0
  ) {
    let axis = Axis(weight, index)
    guard axisScores[axis] == nil, coupling.isCuttable(axis),
      var weight = facts.fixedTensor(of: weight)
    else { return }
    if zero != 0 { weight = Tensor(weight.floats.map { $0 - Float(zero) }, shape: weight.shape) }
    let bias = bias.flatMap { facts.fixedTensor(of: $0) }
    axisScores[axis] =
      switch criterion {
      case .l1: RowNorms.absoluteSums(weight, axis: index, bias: bias)
      case .l2: RowNorms.euclidean(weight, axis: index, bias: bias)
      default: RowMatrix(weight, axis: index, bias: bias).distanceSums
      }
  }

  /// The scores of every group that may be cut. Throws a usage error where the criterion finds
  /// nothing to measure in the whole graph.
  public func scores() throws(CompileError) -> ChannelScores {
    var result = ChannelScores(criterion: criterion.rawValue)
    var generator = SplitMix64(seed: seed)
    var isAnyScored = false
    for group in coupling.groups where group.pin == nil {
      if criterion == .random {
        result.set((0..<group.count).map { _ in generator.nextUniform() }, for: group, in: coupling)
        isAnyScored = true
        continue
      }
      let measured = group.members.compactMap { member in
        axisScores[member.axis].map { Self.channelScores(member, $0, count: group.count) }
      }
      isAnyScored = isAnyScored || !measured.isEmpty
      var mean = [Float](repeating: measured.isEmpty ? 1 : 0, count: group.count)
      for scores in measured {
        for channel in 0..<group.count { mean[channel] += scores[channel] / Float(measured.count) }
      }
      result.set(mean, for: group, in: coupling)
    }
    if !isAnyScored, criterion == .bnScale {
      throw CompileError(
        .usage, "criterion bn-scale: the model has no batch normalization with constant scales",
        notes: ["exporters fold them into convolutions; take l1, l2 or fpgm"])
    }
    return result
  }

  private static func channelScores(
    _ member: ChannelGroup.Member, _ scores: [Float], count: Int
  ) -> [Float] {
    var values = (0..<count).map { channel in
      member.indices(ofChannel: channel).reduce(0) { $0 + scores[Int($1)] }
        / Float(member.multiplicity)
    }
    let mean = values.reduce(0, +) / Float(count)
    if mean > 0 { values = values.map { $0 / mean } }
    return values
  }
}
