import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

/// `PassRun` holds every small graph against the masked one.
@Suite struct ReconstructLayersTests {
  private static let networks = [
    "convolutions": """
    main (float[N,3,8,8] x) => (float[] y)
    <float[8,3,3,3] a = {...}, float[8] b = {...}, float[8,8,3,3] c = {...}, float[8,8,1,1] d = {...}, float[4,512] e = {...}>
    {
      h1 = Conv <pads = [1,1,1,1]> (x, a, b) r1 = Relu (h1) h2 = Conv <pads = [1,1,1,1]> (r1, c) r2 = Relu (h2)
      h3 = Conv (r2, d) f = Flatten (h3) y = Gemm <transB = 1> (f, e)
    }
    """,
    "residual": """
    main (float[N,3,6,6] x) => (float[] y)
    <float[8,3,1,1] a = {...}, float[6,8,3,3] b = {...}, float[8,6,1,1] c = {...}, float[6,8,3,3] d = {...},
     float[8,6,1,1] e = {...}, float[2,8,1,1] g = {...}>
    {
      s = Conv (x, a) h = Conv <pads = [1,1,1,1]> (s, b) r = Relu (h) t = Conv (r, c) s1 = Add (s, t)
      h2 = Conv <pads = [1,1,1,1]> (s1, d) r2 = Relu (h2) t2 = Conv (r2, e) s2 = Add (t2, s1)
      q = Relu (s2) y = Conv (q, g)
    }
    """,
    "grouped": """
    main (float[N,4,6,6] x) => (float[] y)
    <float[8,4,1,1] a = {...}, float[8,4,3,3] b = {...}, float[8] bb = {...}, float[3,8,1,1] c = {...}>
    {
      h = Conv (x, a) r = Relu (h) g = Conv <group = 2, pads = [1,1,1,1]> (r, b, bb) r2 = Relu (g) y = Conv (r2, c)
    }
    """,
    "depthwise": """
    main (float[N,4,6,6] x) => (float[] y)
    <float[8,4,1,1] a = {...}, float[8,1,3,3] b = {...}, float[3,8,1,1] c = {...}>
    {
      h = Conv (x, a) r = Relu (h) g = Conv <group = 8, pads = [1,1,1,1]> (r, b) r2 = Relu (g) y = Conv (r2, c)
    }
    """,
    "transposed": """
    main (float[N,4,5,5] x) => (float[] y)
    <float[8,4,1,1] a = {...}, float[8,6,2,2] b = {...}, float[2,6,1,1] c = {...}>
    {
      h = Conv (x, a) r = Relu (h) g = ConvTranspose <strides = [2,2]> (r, b) r2 = Relu (g) y = Conv (r2, c)
    }
    """,
    "grouped-transposed": """
    main (float[N,4,5,5] x) => (float[] y)
    <float[8,4,1,1] a = {...}, float[8,4,2,2] b = {...}, float[2,8,1,1] c = {...}>
    {
      h = Conv (x, a) r = Relu (h) g = ConvTranspose <strides = [2,2], group = 2> (r, b) r2 = Relu (g) y = Conv (r2, c)
    }
    """,
    "perceptron": """
    main (float[N,10] x) => (float[] y)
    <float[10,16] a = {...}, float[16] b = {...}, float[16,12] c = {...}, float[12] d = {...}, float[4,12] e = {...}>
    {
      h = Gemm (x, a, b) r = Relu (h) m = MatMul (r, c) s = Add (m, d) t = Tanh (s) y = Gemm <transB = 1> (t, e)
    }
    """,
    "attention": AttentionText.separate.text,
    "normalized": """
    main (float[N,3,6,6] x) => (float[] y)
    <float[8,3,1,1] a = {...}, float[8] s = {1,2,1,2,1,2,1,2}, float[8] b = {...}, float[8] m = {...},
     float[8] v = {1,1,1,1,2,2,2,2}, float[6,8,3,3] c = {...}, float[6] s2 = {1,2,1,2,1,2}, float[6] b2 = {...}, float[3,6,1,1] d = {...}>
    {
      h = Conv (x, a) n = BatchNormalization (h, s, b, m, v) r = Relu (n) h2 = Conv (r, c)
      i = InstanceNormalization (h2, s2, b2) r2 = Relu (i) y = Conv (r2, d)
    }
    """,
    "layer-normalized": """
    <ir_version: 10, opset_import: ["" : 18]>
    main (float[N,5,6] x) => (float[] y)
    <float[6,8] a = {...}, float[8] s = {1,2,1,2,1,2,1,2}, float[8] b = {...}, float[8,12] c = {...}, float[12,3] d = {...}>
    {
      h = MatMul (x, a) n = LayerNormalization (h, s, b) m = MatMul (n, c) g = Relu (m) y = MatMul (g, d)
    }
    """,
    "lstm": """
    main (float[5,N,6] x) => (float[] y)
    <float[6,16] a = {...}, float[1,32,16] w = {...}, float[1,32,8] r = {...}, float[1,64] b = {...}, float[8,3] c = {...}>
    {
      h = MatMul (x, a) t = Relu (h) s = LSTM <hidden_size = 8> (t, w, r, b) y = MatMul (s, c)
    }
    """,
    "bidirectional-gru": """
    main (float[N,5,6] x) => (float[] y)
    <float[6,16] a = {...}, float[2,18,16] w = {...}, float[2,18,6] r = {...}, float[6,3] c = {...}>
    {
      h = MatMul (x, a) t = Relu (h) u = Transpose <perm = [1, 0, 2]> (t)
      s = GRU <hidden_size = 6, direction = "bidirectional", linear_before_reset = 1> (u, w, r) y = MatMul (s, c)
    }
    """,
    "stacked-rnn": """
    main (float[5,N,6] x) => (float[] y)
    <float[1,12,6] w1 = {...}, float[1,12,12] r1 = {...}, int64[1] axis = {1},
     float[1,10,12] w2 = {...}, float[1,10,10] r2 = {...}, float[1,20] b2 = {...}, float[10,3] c = {...}>
    {
      s1 = RNN <hidden_size = 12> (x, w1, r1) t = Squeeze (s1, axis)
      s2 = RNN <hidden_size = 10> (t, w2, r2, b2) y = MatMul (s2, c)
    }
    """,
    "einsum": """
    main (float[N,5,6] x) => (float[] y)
    <float[6,16] a = {...}, float[16,4,6] q = {...}, float[4,6] b = {...}, float[4,6,10] o = {...}, float[3,10] d = {...}>
    {
      h = MatMul (x, a) r = Relu (h) s = Einsum <equation = "btd,dhk->bthk"> (r, q) p = Add (s, b) t = Relu (p)
      u = Einsum <equation = "bthk,hkm->btm"> (t, o) v = Relu (u) y = Einsum <equation = "nm,btm->bnt"> (d, v)
    }
    """,
    "embedding": """
    main (int64[N,7] ids) => (float[] y)
    <float[20,16] table = {...}, float[16,12] c = {...}, float[12] b = {...}, float[12,3] d = {...}>
    {
      e = Gather (table, ids) m = MatMul (e, c) p = Add (m, b) g = Relu (p) y = MatMul (g, d)
    }
    """,
  ]

  private static let mask = "score-channels,mask-channels{ratio=0.5 align=1},"

  private func samples(_ graph: Graph, count: Int = 8) throws -> HeldBatches {
    let shapes = Dictionary(
      uniqueKeysWithValues: graph.inputs.compactMap { id in
        graph[id].tensorType?.shape.map { shape in
          (graph[id].name, shape.map { $0.fixedExtent ?? 8 })
        }
      })
    let samples = try HeldBatches(seeded: graph, count: count, shapes: shapes)
    var random = SplitMix64(seed: 7)
    return HeldBatches(
      try (0..<count).map { batch in
        try samples.tensors(ofBatch: batch).map { tensor in
          guard tensor.elementType == .int64 else { return tensor }
          let ids = (0..<tensor.count).map { _ in Int64(random.next() % 20) }
          return Tensor(.int64, shape: tensor.shape, elements: ids)
        }
      })
  }

  /// Sum of the squared differences of the outputs on all samples.
  private func error(_ graph: Graph, _ original: Graph, _ samples: HeldBatches) throws -> Double {
    var sum = 0.0
    for batch in 0..<samples.count {
      let inputs = try samples.tensors(ofBatch: batch)
      let now = try ReferenceEvaluator(graph).run(inputs)
      let before = try ReferenceEvaluator(original).run(inputs)
      for (a, b) in zip(now, before) {
        for (x, y) in zip(a.floats, b.floats) { sum += Double(x - y) * Double(x - y) }
      }
    }
    return sum
  }

  @Test(arguments: Self.networks.keys.sorted(), ["", "fold-batch-norm,"])
  func theSmallNetworkIsNearerToTheOriginal(_ name: String, _ preparation: String) throws {
    let model = try parseModel(Self.networks[name]!)
    let samples = try samples(model.graph)
    let mask = preparation + Self.mask
    let plain = try PassRun(mask + "shrink-channels", on: model)
    let fitted = try PassRun(
      mask + "reconstruct-layers,shrink-channels", on: model, calibration: samples)
    #expect(fitted.unchecked.isEmpty)
    let before = try error(plain.graph, model.graph, samples)
    let after = try error(fitted.graph, model.graph, samples)
    #expect(before > 0)
    #expect(after < 0.9 * before, "\(after) is not less than \(before)")
  }

  /// Batches are too few to judge a fit by others.
  @Test(arguments: Self.networks.keys.sorted(), [1, 2, 3])
  func fewBatches(_ name: String, _ count: Int) throws {
    let model = try parseModel(Self.networks[name]!)
    let samples = try samples(model.graph, count: count)
    let plain = try PassRun(Self.mask + "shrink-channels", on: model)
    let fitted = try PassRun(
      Self.mask + "reconstruct-layers,shrink-channels", on: model, calibration: samples)
    let before = try error(plain.graph, model.graph, samples)
    let after = try error(fitted.graph, model.graph, samples)
    #expect(after < before, "\(after) is not less than \(before)")
  }

  /// Channel 3 is the sum of two others; the norm removes it first. `\(bias)` gives the second layer a bias.
  @Test(arguments: ["", ", bias"])
  func aSumOfKeptChannelsIsRestored(_ bias: String) throws {
    let model = try parseModel(
      """
      main (float[N,2,5,5] x) => (float[] y)
      <float[4,2,1,1] a = {4, 1, -3, 2, 1, 3, 0.5, 1.5}, float[3,4,3,3] b = {...}, float[3] bias = {1, 2, 3}>
      { h = Conv (x, a) y = Conv (h, b\(bias)) }
      """)
    let samples = try samples(model.graph)
    let run = try PassRun(
      "score-channels,mask-channels{ratio=0.25 align=1},reconstruct-layers{rows=100000},shrink-channels",
      on: model, calibration: samples)
    for seed in UInt64(50)..<53 {
      let inputs = try SeededInputs(seed: seed).tensors(for: model.graph)
      let comparison = Comparison(
        try ReferenceEvaluator(run.graph).run(inputs),
        expected: try ReferenceEvaluator(model.graph).run(inputs))
      #expect(comparison.maxRelative < 1e-3)
    }
  }

  /// A removed channel that always has the same value goes into the bias, which the layer gets if it has none.
  @Test func aConvolutionWithoutABiasGetsOne() throws {
    let model = try parseModel(
      """
      main (float[N,2,5,5] x) => (float[] y)
      <float[3,2,1,1] a = {4, 1, -3, 2, 0, 0}, float[3] c = {0, 0, 2}, float[4,3,1,1] b = {...}, float[2,4,1,1] d = {...}>
      { h = Conv (x, a, c) g = Conv (h, b) r = Relu (g) y = Conv (r, d) }
      """)
    let samples = try samples(model.graph)
    let run = try PassRun(
      "score-channels,mask-channels{ratio=0.34 align=1},reconstruct-layers{reselect=false},shrink-channels",
      on: model,
      calibration: samples)
    let weight = try #require(model.graph.value(named: "b"))
    let layer = try #require(model.graph[weight].uses.first?.node)
    func bias(_ graph: Graph) throws -> Tensor {
      let node = graph[layer]
      let value = try #require(node.inputs.count > 2 ? node.inputs[2] : nil)
      return try #require(graph[value].constant)
    }
    let whole = try bias(try #require(run.context.maskedGraph))
    let kept = try #require(run.context.shrinkage?.keptIndices[Axis(weight, 0)])
    #expect(whole.shape == [4] && kept.count == 3)
    #expect(try bias(run.graph).floats == kept.map { whole.floats[$0] })
    // The channel had the value 2 behind this weight.
    let elements = try #require(model.graph[weight].constant).floats
    for channel in kept {
      #expect(abs(whole.floats[channel] - 2 * elements[channel * 3 + 2]) < 0.05)
    }
    for channel in 0..<4 where !kept.contains(channel) { #expect(whole.floats[channel] == 0) }
  }

  /// The norm takes the first channel, which nothing can stand in for, rather than one of the last two, which are alike.
  @Test func theChannelThatIsMissedLeastGoes() throws {
    let model = try parseModel(
      """
      main (float[N,3,5,5] x) => (float[] y)
      <float[4,3,1,1] a = {0.1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 2}, float[3,4,3,3] b = {...}>
      { h = Conv (x, a) y = Conv (h, b) }
      """)
    let samples = try samples(model.graph)
    func difference(_ option: String) throws -> Double {
      let run = try PassRun(
        "score-channels,mask-channels{ratio=0.25 align=1},"
          + "reconstruct-layers{rows=100000 reselect=\(option)},shrink-channels",
        on: model, calibration: samples)
      let inputs = try SeededInputs(seed: 50).tensors(for: model.graph)
      let weight = try #require(run.graph.value(named: "b"))
      #expect(run.graph[weight].constant?.shape == [3, 3, 3, 3])
      return Comparison(
        try ReferenceEvaluator(run.graph).run(inputs),
        expected: try ReferenceEvaluator(model.graph).run(inputs)
      ).maxRelative
    }
    #expect(try difference("true") < 1e-3)
    #expect(try difference("false") > 1e-2)
  }

  @Test func normalizationsFollow() throws {
    let model = try parseModel(Self.networks["layer-normalized"]!)
    let run = try PassRun(
      Self.mask + "reconstruct-layers,shrink-channels", on: model,
      calibration: try samples(model.graph))
    for name in ["s", "b"] {
      let value = try #require(model.graph.value(named: name))
      let before = try #require(model.graph[value].constant?.floats)
      let kept = try #require(run.context.shrinkage?.keptIndices[Axis(value, 0)])
      let after = try #require(run.graph[value].constant?.floats)
      #expect(after != kept.map { before[$0] })
    }
  }

  /// What is not cut, and does not read what is, stays as it was to the bit.
  @Test func layersBeforeTheFirstCutStay() throws {
    let model = try parseModel(Self.networks["convolutions"]!)
    let kept = try #require(LinearLayer.all(in: model.graph, try GraphFacts(of: model.graph)).first)
    let run = try PassRun(
      "score-channels,mask-channels{ratio=0.5 align=1 keep=a},reconstruct-layers", on: model,
      calibration: try samples(model.graph))
    for name in ["a", "b"] {
      let value = try #require(model.graph.value(named: name))
      #expect(run.graph[value].constant == model.graph[value].constant)
    }
    #expect(model.graph[kept.weight].name == "a")
  }

  @Test func theSameSamplesGiveTheSameWeights() throws {
    let model = try parseModel(Self.networks["residual"]!)
    let samples = try samples(model.graph)
    func weights() throws -> [Tensor?] {
      let run = try PassRun(
        Self.mask + "reconstruct-layers{rows=500 seed=3},shrink-channels", on: model,
        calibration: samples)
      return run.graph.initializers.map { run.graph[$0].constant }
    }
    #expect(try weights() == weights())
  }

  /// The first axes of batches, and the extents that a model leaves open, may differ.
  @Test func batchesOfTwoShapes() throws {
    let model = try parseModel(
      Self.networks["residual"]!.replacing("float[N,3,6,6] x", with: "float[N,3,H,W] x"))
    let samples = HeldBatches(
      try (0..<6).map { index in
        let shape = index % 2 == 0 ? [4, 3, 5, 6] : [2, 3, 7, 4]
        return try SeededInputs(seed: UInt64(index)).tensors(for: model.graph, shapes: ["x": shape])
      })
    let plain = try PassRun(Self.mask + "shrink-channels", on: model)
    let run = try PassRun(
      Self.mask + "reconstruct-layers,shrink-channels", on: model, calibration: samples)
    #expect(
      try error(run.graph, model.graph, samples) < (try error(plain.graph, model.graph, samples)))
  }

  @Test func samplesAreNeeded() {
    let error = compileError {
      _ = try PassRun(
        Self.mask + "reconstruct-layers{data=others}", on: Self.networks["perceptron"]!)
    }
    #expect(error?.kind == .usage)
    #expect(
      error?.description.contains(
        "reconstruct-layers needs samples, and there are none called 'others'") == true)
  }

  @Test func withoutMasksNothingHappens() throws {
    let model = try parseModel(Self.networks["perceptron"]!)
    let run = try PassRun("reconstruct-layers", on: model)
    #expect(differences(between: run.model, and: model) == [])
  }

  /// Samples that are all the same, zeros, and such that are no numbers behind the first layer.
  @Test(arguments: [0, 1, 3e38] as [Float], Self.networks.keys.sorted())
  func strangeSamples(_ value: Float, _ name: String) throws {
    let model = try parseModel(Self.networks[name]!)
    let batches = try samples(model.graph, count: 4)
    let constant = HeldBatches(
      try (0..<4).map { batch in
        try batches.tensors(ofBatch: batch).map {
          $0.elementType == .int64
            ? $0
            : Tensor(
              rounding: [Float](repeating: value, count: $0.count),
              to: $0.elementType, shape: $0.shape)
        }
      })
    let run = try PassRun(
      Self.mask + "reconstruct-layers,shrink-channels", on: model, calibration: constant)
    for id in run.graph.initializers {
      if let tensor = run.graph[id].constant, tensor.elementType.isFloatingPoint {
        #expect(tensor.floats.allSatisfy { $0.isFinite }, "\(run.graph[id].name)")
      }
    }
  }
}
