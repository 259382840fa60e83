import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecSelection
import PrunecTensors
import PrunecTestSupport
import Testing

/// Criteria that look at data, on samples that are small enough to work out by hand.
@Suite struct ConsumerCriteriaTests {
  /// The scores of the only group that may be cut, when the model runs on one batch.
  private func scores(
    _ text: String, on batch: Tensor, _ criterion: any ChannelCriterion
  ) throws -> [Float] {
    let model = try CoupledModel(text)
    let statistics = try LayerStatistics(
      of: model.graph, HeldBatches([[batch]]), where: { _ in true })
    let inputs = ScoringInputs(model.graph, model.facts, model.coupling, statistics: statistics)
    let scores = try ChannelScores(by: criterion, inputs)
    let group = try #require(model.coupling.groups.first { $0.pin == nil })
    return try #require(scores.scores(of: group))
  }

  private func expect(
    _ found: [Float], _ expected: [Float], within tolerance: Float = 1e-5,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      found.count == expected.count
        && zip(found, expected).allSatisfy { abs($0 - $1) <= tolerance },
      "\(found) is not \(expected)", sourceLocation: sourceLocation)
  }

  /// Channels that are the inputs themselves, and a layer that has a bias.
  private func network(channels: Int, outputs: Int, weights: [Float]) -> String {
    let identity = (0..<(channels * channels)).map { $0 % (channels + 1) == 0 ? "1" : "0" }
    let list = weights.map { "\($0)" }.joined(separator: ", ")
    return """
      main (float[N,\(channels)] x) => (float[N,\(outputs)] y)
      <
        float[\(channels),\(channels)] w1 = {\(identity.joined(separator: ", "))},
        float[\(channels),\(outputs)] w2 = {\(list)}, float[\(outputs)] b2 = {...}
      >
      {
        [fc1] t = MatMul (x, w1)
        [fc2] y = Gemm (t, w2, b2)
      }
      """
  }

  /// Mean squares 1, 4 and 9; variances 1, 4 and 0; nothing correlated.
  private let samples = Tensor(
    [1, 2, 3, -1, 2, 3, 1, -2, 3, -1, -2, 3], shape: [4, 3])
  private var plain: String {
    network(channels: 3, outputs: 2, weights: [1, 0, 1, -1, 0.5, 0.5])
  }

  /// Roots of 1, 4 and 9, whose mean is 2.
  @Test func activationIsTheRootMeanSquare() throws {
    expect(try scores(plain, on: samples, .activation), [0.5, 1, 1.5])
  }

  /// Magnitudes 1, 2 and 1 times 1, 2 and 3: the mean of 1, 4 and 3 is 8/3.
  @Test func wandaWeighsMagnitudesWithNorms() throws {
    expect(try scores(plain, on: samples, .wanda), [3 / 8, 12 / 8, 9 / 8])
  }

  /// Squared weights 1, 2 and 1/2 times variances 1, 4 and 0: 1, 8 and 0 have a mean of 3 and a variance of 19.
  @Test func fluctuationIsStandardised() throws {
    let deviation = Float(19).squareRoot()
    expect(
      try scores(plain, on: samples, .fluctuation),
      [1 - 2 / deviation, 1 + 5 / deviation, 1 - 3 / deviation])
  }

  /// Without a bias nothing stands in for the mean: 1, 8 and 9/2 have a mean of 9/2 and a variance of 49/4.
  @Test func fluctuationWithoutABias() throws {
    let text = """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,3] w1 = {1, 0, 0, 0, 1, 0, 0, 0, 1}, float[3,2] w2 = {1, 0, 1, -1, 0.5, 0.5}>
      {
        [fc1] t = MatMul (x, w1)
        [fc2] y = MatMul (t, w2)
      }
      """
    expect(try scores(text, on: samples, .fluctuation), [0, 2, 1])
  }

  /// Contributions of power 0, 1 and 8, of 9 in all, go one after the other: sums 0, 1/9 and 1.
  @Test func thinetAddsUpWhatHasGone() throws {
    expect(try scores(plain, on: samples, .thinet), [0.3, 2.7, 0])
  }

  /// Channels that add nothing to each other are taken up where lambda is their own power.
  @Test func lassoOfUncorrelatedChannels() throws {
    expect(try scores(plain, on: samples, .lasso), [1 / 3, 8 / 3, 0])
  }

  /// Contributions a + b and a: G = (2 1; 1 1). The first is taken up at 3, the second where 2 - (3 - lambda) / 2 = lambda,
  /// at 1. In the other direction 1 and 5 are reached.
  @Test func correlatedChannels() throws {
    let samples = Tensor([2, 1, 0, 1, 0, -1, -2, -1], shape: [4, 2])
    let text = network(channels: 2, outputs: 1, weights: [1, 1])
    expect(try scores(text, on: samples, .lasso), [1.5, 0.5], within: 0.05)
    expect(try scores(text, on: samples, .thinet), [5 / 3, 1 / 3])
  }

  /// The first two channels take each other away, and so can go before the third, whose weight is less than both of theirs
  /// together.
  @Test func channelsThatCancel() throws {
    let samples = Tensor([1, 1, 1, 1, 1, -1, -1, -1, 1, -1, -1, -1], shape: [4, 3])
    let text = network(channels: 3, outputs: 1, weights: [5, -5, 6])
    let thinet = try scores(text, on: samples, .thinet)
    #expect(thinet[0] <= thinet[1] && thinet[1] < thinet[2])
    expect(try scores(text, on: samples, .lasso), [0, 0, 3])
  }

  /// A channel that the layer behind does not read, however large its activations and the weights that make it.
  @Test(arguments: [
    "obs", "wanda", "fluctuation", "thinet", "lasso",
  ])
  func whatContributesNothingGoesFirst(_ name: String) throws {
    let criterion = try #require(allCriteria.first { $0.name == name })
    let samples = Tensor([1, 90, 3, -1, 80, 1, 1, -70, 4, -1, -60, 1], shape: [4, 3])
    let text = network(channels: 3, outputs: 2, weights: [1, 0.5, 0, 0, 2, 1])
    let found = try scores(text, on: samples, criterion)
    #expect(found[1] < found[0] && found[1] < found[2], "\(found)")
  }

  /// Every tap of a kernel is a column: of inputs 1, 2 and 3 the first reads 1 and 2, the second 2 and 3.
  @Test func tapsOfAConvolution() throws {
    let text = """
      main (float[1,1,3] x) => (float[1,1,2] y)
      <float[2,1,1] w1 = {1, 2}, float[1,2,2] w2 = {1, 0, 0, 1}>
      {
        [conv1] t = Conv (x, w1)
        [conv2] y = Conv (t, w2)
      }
      """
    let samples = Tensor([1, 2, 3], shape: [1, 1, 3])
    expect(try scores(text, on: samples, .activation), [2 / 3, 4 / 3])
    let (first, second) = (Float(2.5).squareRoot(), Float(26).squareRoot())
    let mean = (first + second) / 2
    expect(try scores(text, on: samples, .wanda), [first / mean, second / mean])
  }

  /// Where the layers behind are not known, weights decide.
  @Test(arguments: allCriteria.filter(\.needsStatistics).map(\.name))
  func groupsWithoutConsumers(_ name: String) throws {
    let criterion = try #require(allCriteria.first { $0.name == name })
    let model = try CoupledModel(plain)
    let statistics = try LayerStatistics(
      of: model.graph, HeldBatches([[samples]]), where: { _ in false })
    let inputs = ScoringInputs(model.graph, model.facts, model.coupling, statistics: statistics)
    #expect(try criterion.scores(for: inputs) == L2Norm().scores(for: inputs))
  }

  @Test(arguments: allCriteria.filter(\.needsStatistics).map(\.name))
  func samplesAreNeeded(_ name: String) throws {
    let criterion = try #require(allCriteria.first { $0.name == name })
    let model = try CoupledModel(plain)
    let error = #expect(throws: CompileError.self) {
      try criterion.scores(for: ScoringInputs(model.graph, model.facts, model.coupling))
    }
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics[0].message.contains(name) == true)
  }

  /// Dimensions of turned heads count their shares.
  @Test func turnedHeads() throws {
    let model = try CoupledModel(plain)
    let statistics = try LayerStatistics(
      of: model.graph, HeldBatches([[samples]]), where: { _ in true })
    let group = try #require(model.coupling.groups.first { $0.pin == nil })
    let axis = try #require(group.members.first).axis
    let inputs = ScoringInputs(
      model.graph, model.facts, model.coupling, statistics: statistics,
      rotatedPowers: [axis: [0: 0.5, 1: 0.25, 2: 0.25]])
    func score(_ criterion: any ChannelCriterion) throws -> [Float] {
      try #require(try ChannelScores(by: criterion, inputs).scores(of: group))
    }
    expect(try score(.obs), [0.5, 0.25, 0.25])
    expect(try score(.thinet), [1.5, 0.75, 0.75])
  }

  /// Channel c has maps of rank c + 1: diagonals of as many ones.
  @Test func ranksOfFeatureMaps() throws {
    let model = try CoupledModel(
      """
      main (float[N,3,4,5] x) => (float[N,2,4,5] y)
      <float[3,3,1,1] w1 = {2, 0, 0, 0, 2, 0, 0, 0, 2}, float[2,3,1,1] w2 = {...}>
      {
        [conv1] t = Conv (x, w1)
        [conv2] y = Conv (t, w2)
      }
      """)
    var elements = [Float](repeating: 0, count: 2 * 60)
    for sample in 0..<2 {
      for channel in 0..<3 {
        for place in 0...channel { elements[sample * 60 + channel * 20 + place * 6] = 3 }
      }
    }
    let samples = HeldBatches([[Tensor(elements, shape: [2, 3, 4, 5])]])
    let scores = try ChannelScores(
      by: .featureMapRank,
      ScoringInputs(model.graph, model.facts, model.coupling, samples: samples))
    let group = try #require(model.coupling.groups.first { $0.pin == nil })
    expect(try #require(scores.scores(of: group)), [0.5, 1, 1.5])
  }

  @Test func ranksNeedSamples() throws {
    let model = try CoupledModel(network(channels: 3, outputs: 1, weights: [5, -5, 6]))
    let found = compileError {
      _ = try ChannelScores(
        by: .featureMapRank, ScoringInputs(model.graph, model.facts, model.coupling))
    }
    #expect(found?.kind == .usage)
  }

  /// Channels without maps count by the weights that make them.
  @Test func channelsWithoutMaps() throws {
    let model = try CoupledModel(network(channels: 3, outputs: 1, weights: [5, -5, 6]))
    let samples = HeldBatches([[Tensor([1, 2, 3], shape: [1, 3])]])
    let scores = try ChannelScores(
      by: .featureMapRank,
      ScoringInputs(model.graph, model.facts, model.coupling, samples: samples))
    let group = try #require(model.coupling.groups.first { $0.pin == nil })
    expect(try #require(scores.scores(of: group)), [1, 1, 1])
  }
}
