import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecPasses
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct CollectStatisticsTests {
  private static let network = """
    main (float[N,3,6,6] x) => (float[] y)
    <float[4,3,1,1] a = {...}, float[4,4,3,3] b = {...}, float[2,64] c = {...}>
    { h = Conv (x, a) r = Relu (h) g = Conv (r, b) f = Flatten (g) y = Gemm <transB = 1> (f, c) }
    """

  private func run(_ options: String = "", text: String = network) throws -> (PassRun, HeldBatches)
  {
    let model = try parseModel(text)
    let samples = try HeldBatches(seeded: model.graph)
    return (try PassRun("collect-statistics\(options)", on: model, calibration: samples), samples)
  }

  /// The consumers of the channels that the weight called `name` makes.
  private func consumers(_ run: PassRun, _ name: String) throws -> [ChannelConsumer] {
    let model = try CoupledModel(run.graph)
    let weight = try #require(run.graph.value(named: name))
    let group = try #require(
      model.coupling.groups.first { group in
        group.pin == nil && group.members.contains { $0.axis == Axis(weight, 0) }
      })
    return try #require(run.context.statistics).consumers(of: group, run.graph)
  }

  @Test func layersThatReadChannelsAreSummedUp() throws {
    let (run, samples) = try run()
    #expect(differences(between: run.model, and: try parseModel(Self.network)) == [])
    let reading = try consumers(run, "a")
    #expect(reading.count == 1)
    let sums = reading[0].moments
    #expect(sums.inputs == 4 * 9)
    #expect(sums.count == 4 * 2 * 16)
    #expect(reading[0].places == (0..<4).map { channel in (0..<9).map { channel * 9 + $0 } })
    // The middle of a patch, against the values themselves.
    var (sum, square, count) = (0.0, 0.0, 0.0)
    for batch in 0..<samples.count {
      let graph = try parseModel(
        Self.network.replacing("y = Gemm", with: "z = Gemm").replacing(
          "(float[] y)", with: "(float[] r)")
      ).graph
      let r = try ReferenceEvaluator(graph).run(samples.tensors(ofBatch: batch))[0]
      let inner = r.slice(1..<5, alongAxis: 2).slice(1..<5, alongAxis: 3).slice(2..<3, alongAxis: 1)
      for value in inner.floats.map(Double.init) {
        (sum, square, count) = (sum + value, square + value * value, count + 1)
      }
    }
    let place = 2 * 9 + 4
    #expect(abs(sums.inputMean[place] - sum / count) < 1e-5)
    #expect(abs(sums.covariance(isCentred: false)[place * 36 + place] - square / count) < 1e-5)
  }

  /// A channel of a convolution is a run of a flat row.
  @Test func flattenedChannels() throws {
    let (run, _) = try run()
    let reading = try consumers(run, "b")
    #expect(reading.count == 1)
    #expect(reading[0].places == (0..<4).map { channel in (0..<16).map { channel * 16 + $0 } })
  }

  @Test func positionsAreLimited() throws {
    let (run, samples) = try run("{rows=20 samples=10 seed=1}")
    #expect(try consumers(run, "a")[0].moments.count == 2 * samples.sampleCount)
  }

  /// Of convolutions in groups, and of weights that more than one layer uses, nothing is known.
  @Test func layersThatCannotBeFittedAreLeftOut() throws {
    let (run, _) = try run(
      text: """
        main (float[N,4,6,6] x) => (float[] y)
        <float[4,4,1,1] a = {...}, float[4,2,1,1] b = {...}, float[2,4,1,1] c = {...}>
        { h = Conv (x, a) g = Conv <group = 2> (h, b) y = Conv (g, c) }
        """)
    #expect(try consumers(run, "a").isEmpty)
    #expect(try consumers(run, "b").count == 1)
  }

  @Test func storedStatisticsAreThoseThatWereCollected() throws {
    let (run, samples) = try run()
    let statistics = try #require(run.context.statistics)
    let heads = try #require(run.context.headMoments?.moments)
    let sums = statistics.sums(in: run.graph).merging(heads.sums) { one, _ in one }
    var stored = StoredStatistics(
      model: run.graph.fingerprint,
      settings: .init(direction: .inner, rows: 60_000, samples: 256, seed: 0),
      sums: StatisticsSums(
        moments: sums, samples: statistics.samples, inputTypes: statistics.inputTypes))
    func take(_ text: String, _ stored: StoredStatistics) throws -> LayerStatistics? {
      var graph = try parseModel(text).graph
      var context = PassContext(original: graph)
      context.stored["here"] = stored
      var manager = try PassManager(
        Pipeline("collect-statistics{stats=here}"), registry: allPasses)
      try manager.run(on: &graph, &context)
      return context.statistics
    }
    let taken = try #require(try take(Self.network, stored))
    #expect(taken.samples.count == samples.sampleCount)
    let found = taken.sums(in: run.graph)
    #expect(found.count == 2)
    for (name, moments) in statistics.sums(in: run.graph) {
      #expect(found[name]?.packedSecond == moments.packedSecond)
      #expect(found[name]?.inputSum == moments.inputSum)
    }
    let other = Self.network.replacing("Relu", with: "Abs")
    #expect(compileError { _ = try take(other, stored) }?.kind == .usage)
    stored.sums.moments["layers/2"] = Moments(inputs: 3, outputs: 0)
    #expect(compileError { _ = try take(Self.network, stored) }?.kind == .malformed)
  }

  @Test func samplesAreNeeded() {
    let error = compileError { _ = try PassRun("collect-statistics", on: Self.network) }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains("--calibration") == true)
  }
}
