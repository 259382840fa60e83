import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

/// `PassRun` holds every result against the original, or the masked graph.
@Suite struct RefitLayersTests {
  private static let network = """
    main (float[N,6] x) => (float[] y)
    <float[6,16] a = {...}, float[16,16] b = {...}, float[16,4] c = {...}, float[4] d = {...}>
    { h = MatMul (x, a) r = Relu (h) m = MatMul (r, b) s = Sigmoid (m) t = MatMul (s, c) y = Add (t, d) }
    """

  private func error(_ compensation: String) throws -> Double {
    let model = try parseModel(Self.network)
    let samples = try HeldBatches(seeded: model.graph, count: 8, shapes: ["x": [20, 6]])
    let run = try PassRun(
      "collect-statistics,score-channels{criterion=obs},mask-channels{ratio=0.5 align=1},"
        + "\(compensation)shrink-channels", on: model, calibration: samples)
    var divergence = OutputDivergence()
    for batch in 0..<samples.count {
      let inputs = try samples.tensors(ofBatch: batch)
      let (now, before) = (
        try ReferenceEvaluator(run.graph).run(inputs)[0],
        try ReferenceEvaluator(model.graph).run(inputs)[0]
      )
      // Not as classes: the squared error.
      divergence.add(
        [now.reshaped([now.count])], original: [before.reshaped([before.count])], sampleCount: 20)
    }
    return divergence.mean
  }

  @Test func layersMakeUpForWhatIsGone() throws {
    let (fitted, plain) = (try error("refit-layers,"), try error(""))
    #expect(fitted < 0.5 * plain, "\(fitted) is not far less than \(plain)")
    #expect(fitted > 0)
  }

  @Test func statisticsAreNeeded() {
    for pipeline in [
      "refit-layers",
      "collect-statistics,score-channels,mask-channels{ratio=0.5},shrink-channels,refit-layers",
    ] {
      let error = compileError {
        let model = try parseModel(Self.network)
        _ = try PassRun(pipeline, on: model, calibration: HeldBatches(seeded: model.graph))
      }
      #expect(error?.kind == .usage)
    }
  }
}
