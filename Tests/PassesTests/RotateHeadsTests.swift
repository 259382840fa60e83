import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

/// `PassRun` holds every result against the original.
@Suite struct RotateHeadsTests {
  private func run(_ attention: AttentionText) throws -> PassRun {
    let model = try parseModel(attention.text)
    return try PassRun(
      "collect-statistics,rotate-heads", on: model,
      calibration: HeldBatches(seeded: model.graph, shapes: ["x": [6, 5, 8]]))
  }

  /// The names of the weights that have other elements now.
  private func changed(_ run: PassRun) -> [String] {
    run.graph.initializers.filter { run.graph[$0].constant != run.context.original[$0].constant }
      .map { run.graph[$0].name }
  }

  private func powers(_ run: PassRun, _ weight: String) throws -> [Float] {
    let value = try #require(run.graph.value(named: weight))
    let powers = try #require(run.context.rotatedPowers[Axis(value, 1)])
    return try (0..<powers.count).map { try #require(powers[$0]) }
  }

  private func expectDecreasing(_ powers: [Float]) {
    for start in stride(from: 0, to: powers.count, by: 4) {
      let head = Array(powers[start..<(start + 4)])
      #expect(head == head.sorted(by: >))
      #expect(abs(head.reduce(0, +) - 1) < 1e-3)
      #expect(head[0] > head[3])
    }
  }

  @Test func separateProjections() throws {
    let run = try run(.separate)
    #expect(changed(run) == ["wq", "bq", "wk", "bk", "wv", "wo"])
    for weight in ["wq", "wk", "wv"] { expectDecreasing(try powers(run, weight)) }
  }

  @Test(arguments: [AttentionText.gathered, .split])
  func oneProjection(_ attention: AttentionText) throws {
    let run = try run(attention)
    #expect(changed(run) == ["wo", "wqkv", "bqkv"])
    expectDecreasing(try powers(run, "wqkv"))
  }

  @Test func sharedKeysAndValues() throws {
    let run = try run(.shared)
    #expect(changed(run) == ["wq", "bq", "wo", "wk2", "wv2"])
    for weight in ["wq", "wk2", "wv2"] { expectDecreasing(try powers(run, weight)) }
  }

  /// Without its last dimensions a turned head is nearer to the original than one of another basis.
  @Test func lastDimensionsMatterLeast() throws {
    let model = try parseModel(AttentionText.separate.text)
    let calibration = try HeldBatches(seeded: model.graph, shapes: ["x": [6, 5, 8]])
    func error(_ pipeline: String) throws -> Double {
      let run = try PassRun(
        "\(pipeline)mask-channels{ratio=0.5 align=1 only=head-dim},shrink-channels", on: model,
        calibration: calibration)
      var divergence = OutputDivergence()
      for batch in 0..<calibration.count {
        let inputs = try calibration.tensors(ofBatch: batch)
        divergence.add(
          try ReferenceEvaluator(run.graph).run(inputs),
          original: try ReferenceEvaluator(model.graph).run(inputs), sampleCount: 6)
      }
      return divergence.mean
    }
    let turned = try error("collect-statistics,rotate-heads,score-channels{criterion=obs},")
    let plain = try error("score-channels,")
    #expect(turned < 0.7 * plain, "\(turned) is not far less than \(plain)")
  }

  /// Softmax sees the mean of the queries, if not that of the keys.
  @Test func queriesThatAreAllAlikeMatter() throws {
    var model = try parseModel(AttentionText.separate.text)
    let weight = try #require(model.graph.value(named: "wq"))
    model.graph.setTensor(of: weight, to: Tensor(zeros: .float32, shape: [8, 8]))
    let run = try PassRun(
      "collect-statistics,rotate-heads", on: model,
      calibration: HeldBatches(seeded: model.graph, shapes: ["x": [6, 5, 8]]))
    let powers = try powers(run, "wq")
    for first in [0, 4] { #expect(powers[first] > 0.999) }
  }

  @Test func valuesWithoutMatchableQueries() throws {
    var attention = AttentionText.separate
    attention.heads += " qn = LayerNormalization <axis = -1> (qh, factors, zeros)"
    attention.scaling = "s2 = MatMul (qn, kh) ss = Mul (s2, eighth)"
    let run = try run(attention)
    #expect(changed(run) == ["wv", "wo"])
  }

  /// For each the weights that may be turned all the same.
  @Test(arguments: [
    // Rotary embedding, of queries alone.
    (
      " c = Mul (qh, table) a, b = Split <axis = 3, num_outputs = 2> (qh) n = Neg (b) "
        + "r = Concat <axis = 3> (n, a) d = Mul (r, table) qr = Add (c, d)",
      "s2 = MatMul (qr, kh) ss = Mul (s2, eighth)"
    ),
    // Features of linear attention.
    (" qr = Relu (qh)", "s2 = MatMul (qr, kh) ss = Mul (s2, eighth)"),
    // A factor for each dimension.
    (" qr = Mul (qh, factors)", "s2 = MatMul (qr, kh) ss = Mul (s2, eighth)"),
  ])
  func whatIsMoreThanAnArrangementStays(_ heads: String, _ scaling: String) throws {
    var attention = AttentionText.separate
    attention.heads += heads
    attention.scaling = scaling.replacing("s2 =", with: "sz =").replacing("(s2,", with: "(sz,")
    // The product of the heads as they are is not there.
    var text = attention.text
    text = text.replacing("s = MatMul (qh, kh) ", with: "")
    let model = try parseModel(text)
    let run = try PassRun(
      "collect-statistics,rotate-heads", on: model, calibration: HeldBatches(seeded: model.graph))
    #expect(changed(run) == ["wv", "wo"])
  }

  /// A convolution along the positions, with a kernel for each channel.
  @Test func mixedPositionsStay() throws {
    var attention = AttentionText.separate
    attention.projections = """
      q = MatMul (x, wq) k = MatMul (x, wk) v0 = MatMul (x, wv)
      vt = Transpose <perm = [0, 2, 1]> (v0) vc = Conv <group = 8, pads = [1, 1]> (vt, kernels)
      v = Transpose <perm = [0, 2, 1]> (vc)
      """
    #expect(changed(try run(attention)) == ["wq", "wk"])
  }

  @Test func queriesThatAreKeysStay() throws {
    var attention = AttentionText.separate
    attention.heads = attention.heads.replacing("Reshape (k, apart)", with: "Reshape (q, apart)")
    #expect(changed(try run(attention)) == ["wv", "wo"])
  }

  @Test func valuesThatAreKeysStay() throws {
    var attention = AttentionText.separate
    attention.heads = attention.heads.replacing("Reshape (v, apart)", with: "Reshape (k, apart)")
    #expect(changed(try run(attention)) == [])
  }

  @Test func keysOfTwoProductsStay() throws {
    var attention = AttentionText.separate
    attention.heads +=
      " x4 = Reshape (x, apart) xh = Transpose <perm = [0, 2, 1, 3]> (x4) other = MatMul (xh, kh)"
    attention.outputs = "float[] y, float[] other"
    #expect(changed(try run(attention)) == ["wv", "wo"])
    attention.heads +=
      " w2 = MatMul (x, wqkv) q2, q3, q5 = Split <axis = 2> (w2, thirds) q6 = Reshape (q2, apart) q7 = Transpose <perm = [0, 2, 1, 3]> (q6) more = MatMul (q7, kh)"
    attention.outputs = "float[] y, float[] more"
    attention.heads = attention.heads.replacing(" other = MatMul (xh, kh)", with: "")
    #expect(changed(try run(attention)) == ["wv", "wo"])
  }

  @Test func whatIsGivenOutStays() throws {
    var attention = AttentionText.separate
    attention.outputs = "float[] y, float[] k"
    #expect(changed(try run(attention)) == ["wv", "wo"])
    attention.outputs = "float[] y, float[] o"
    #expect(changed(try run(attention)) == ["wq", "bq", "wk", "bk"])
  }

  @Test func samplesAreNeeded() {
    for pipeline in ["rotate-heads", "collect-statistics{heads=false},rotate-heads"] {
      let error = compileError {
        let model = try parseModel(AttentionText.separate.text)
        _ = try PassRun(pipeline, on: model, calibration: HeldBatches(seeded: model.graph))
      }
      #expect(error?.kind == .usage)
    }
  }

  /// Samples that are all the same, and zeros.
  @Test(arguments: [0, 1] as [Float])
  func constantSamples(_ value: Float) throws {
    let samples = HeldBatches([[Tensor([Float](repeating: value, count: 40), shape: [1, 5, 8])]])
    _ = try PassRun(
      "collect-statistics,rotate-heads", on: AttentionText.separate.text, calibration: samples)
  }

  /// Sums that are turned with the heads are those that the turned graph would give.
  @Test(arguments: [AttentionText.separate, .shared])
  func sumsFollow(_ attention: AttentionText) throws {
    let model = try parseModel(attention.text)
    let samples = try HeldBatches(seeded: model.graph, shapes: ["x": [6, 5, 8]])
    let run = try PassRun("collect-statistics,rotate-heads", on: model, calibration: samples)
    let again = try LayerStatistics(of: run.graph, samples, where: { _ in true })
    let turned = try #require(run.context.statistics)
    let expected = again.sums(in: run.graph)
    let found = turned.sums(in: run.graph)
    #expect(!found.isEmpty)
    for (name, moments) in found {
      let other = try #require(expected[name])
      #expect(moments.count == other.count)
      for (a, b) in zip(moments.covariance(), other.covariance()) { #expect(abs(a - b) < 1e-4) }
      for (a, b) in zip(moments.inputMean, other.inputMean) { #expect(abs(a - b) < 1e-4) }
    }
  }
}
