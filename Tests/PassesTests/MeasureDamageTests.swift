import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecSelection
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct MeasureDamageTests {
  /// What the second layer makes matters ten times as much for the output as what the third does; both are read by the last.
  private static let network = """
    main (float[N,6] x) => (float[] y)
    <float[6,16] a = {...}, float[16,16] b = {...}, float[16,16] c = {...}, float factor = {0.01}, float[16,4] d = {...}, float[16,4] e = {...}>
    {
      h = MatMul (x, a) r = Relu (h)
      m = MatMul (r, b) s = Tanh (m) t = MatMul (s, d)
      n = MatMul (r, c) u = Tanh (n) v = MatMul (u, e) w = Mul (v, factor)
      y = Add (t, w)
    }
    """
  private static let measurement =
    "collect-statistics,score-channels{criterion=obs},measure-damage{effort=quick}"

  private func run(_ pipeline: String = measurement, text: String = network) throws -> PassRun {
    let model = try parseModel(text)
    return try PassRun(
      pipeline, on: model, calibration: try HeldBatches(seeded: model.graph, count: 8))
  }

  private func curve(_ run: PassRun, _ name: String) throws -> DamageTable.Curve {
    let model = try CoupledModel(run.graph)
    let weight = try #require(run.graph.value(named: name))
    let group = try #require(
      model.coupling.groups.first { group in
        group.pin == nil && group.members.contains { $0.axis == Axis(weight, 1) }
      })
    return try #require(run.context.damage?[group])
  }

  @Test func everyGroupHasACurve() throws {
    let run = try run()
    for name in ["a", "b", "c"] {
      let points = try curve(run, name).points
      #expect(points.count > 3)
      #expect(points[0].kept == 16 && points[0].divergence == 0)
      #expect(points.map(\.kept) == points.map(\.kept).sorted(by: >))
      #expect(points.map(\.divergence) == points.map(\.divergence).sorted())
      #expect(points.allSatisfy { $0.divergence.isFinite })
    }
    #expect(differences(between: run.model, and: try parseModel(Self.network)) == [])
  }

  @Test func groupsThatMatterLessAreDamagedLess() throws {
    let run = try run()
    let (loud, quiet) = (try curve(run, "b"), try curve(run, "c"))
    for kept in [4, 8, 12] {
      #expect(quiet.divergence(keeping: kept) < 0.1 * loud.divergence(keeping: kept))
    }
  }

  /// A budget is met where it does least damage.
  @Test func individualScopeCutsWhatMattersLess() throws {
    let run = try run(
      Self.measurement
        + ",mask-channels{macs=0.8 scope=individual align=1 min-channels=1},shrink-channels")
    func width(_ weight: String, _ axis: Int) throws -> Int {
      let value = try #require(run.graph.value(named: weight))
      return try #require(run.graph[value].constant).shape[axis]
    }
    #expect(try width("c", 1) < width("b", 1))
    #expect(try width("b", 1) == 16)
  }

  /// Cutting a channel that others make up for does no damage.
  @Test func layersBehindMakeUpForWhatGoes() throws {
    let text = """
      main (float[N,2] x) => (float[] y) <float[2,8] a = {...}, float[8,8] b = {...}, float[8,3] c = {...}>
      { h = MatMul (x, a) m = MatMul (h, b) t = Tanh (m) y = MatMul (t, c) }
      """
    let curve = try curve(try run(text: text), "a")
    // Two dimensions span eight channels.
    #expect(curve.divergence(keeping: 5) < 1e-2)
  }

  @Test func individualScopeNeedsATable() {
    let error = compileError {
      _ = try PassRun("score-channels,mask-channels{scope=individual}", on: Self.network)
    }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains("measure-damage") == true)
  }

  @Test func theOrderIsChecked() {
    for pipeline in ["collect-statistics,measure-damage", "score-channels,measure-damage"] {
      #expect(compileError { _ = try PassRun(pipeline, on: Self.network) }?.kind == .usage)
    }
  }

  @Test func theSameSamplesGiveTheSameTable() throws {
    let (first, second) = (try curve(try run(), "b"), try curve(try run(), "b"))
    #expect(first.points.map(\.divergence) == second.points.map(\.divergence))
  }

  /// Operations are counted for the extents that the model is run with, be they open in it or not.
  @Test func openExtentsCountAsTheyAreRun() throws {
    func grid(_ extents: String) throws -> DamageMeasurement.Grid {
      let model = try CoupledModel(
        """
        main (float[N,3,\(extents)] x) => (float[] y) <float[8,3,3,3] a = {...}, float[4,8,1,1] b = {...}>
        { h = Conv (x, a) y = Conv (h, b) }
        """)
      let shapes = InputShapes(for: model.graph)
      let sample = Tensor([Float](repeating: 1, count: 3 * 224 * 224), shape: [1, 3, 224, 224])
      let statistics = try LayerStatistics(
        of: model.graph, HeldBatches([[sample]]), where: { _ in true })
      let scores = try ChannelScores(
        by: .l2, ScoringInputs(model.graph, model.facts, model.coupling))
      return DamageMeasurement(model.graph, model.facts, model.coupling, scores, statistics)
        .grid(within: 1e9, shapes)
    }
    let (fixed, open) = (try grid("224,224"), try grid("H,W"))
    #expect(open.samples == fixed.samples && open.fractions == fixed.fractions)
    #expect(open.samples < 128)
  }
}
