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

/// Every kind of layer makes up for a channel that is a sum of others, and is seen by scores and damage.
@Suite struct ConsumerKindsTests {
  /// Networks whose weight `a` makes four channels along its second axis, which one layer with the weight `w` reads.
  private static let networks = [
    "product": """
    main (float[N,5,6] x) => (float[] y) <float[6,4] a = {...}, float[4,5] w = {...}, float[5,3] c = {...}>
    { h = MatMul (x, a) m = MatMul (h, w) t = Tanh (m) y = MatMul (t, c) }
    """,
    "embedding": """
    main (int64[N,5] ids) => (float[] y) <float[20,4] a = {...}, float[4,5] w = {...}, float[5,3] c = {...}>
    { h = Gather (a, ids) m = MatMul (h, w) t = Tanh (m) y = MatMul (t, c) }
    """,
    "embedding and lstm": """
    main (int64[5,N] ids) => (float[] y)
    <float[20,4] a = {...}, float[1,24,4] w = {...}, float[1,24,6] r = {...}, float[6,3] c = {...}>
    { h = Gather (a, ids) s = LSTM <hidden_size = 6> (h, w, r) y = MatMul (s, c) }
    """,
    "lstm": """
    main (float[5,N,6] x) => (float[] y)
    <float[6,4] a = {...}, float[1,24,4] w = {...}, float[1,24,6] r = {...}, float[1,48] b = {...}, float[6,3] c = {...}>
    { h = MatMul (x, a) s = LSTM <hidden_size = 6> (h, w, r, b) y = MatMul (s, c) }
    """,
    "bidirectional gru": """
    main (float[5,N,6] x) => (float[] y)
    <float[6,4] a = {...}, float[2,12,4] w = {...}, float[2,12,4] r = {...}, float[4,3] c = {...}>
    { h = MatMul (x, a) s = GRU <hidden_size = 4, direction = "bidirectional"> (h, w, r) y = MatMul (s, c) }
    """,
    "reverse rnn": """
    main (float[N,5,6] x) => (float[] y)
    <float[6,4] a = {...}, float[1,7,4] w = {...}, float[1,7,7] r = {...}, float[1,14] b = {...}, float[7,3] c = {...}>
    {
      h = MatMul (x, a) s, l = RNN <direction = "reverse", layout = 1> (h, w, r, b) y = MatMul (l, c)
    }
    """,
    "einsum": """
    main (float[N,5,6] x) => (float[] y)
    <float[6,4] a = {...}, float[4,2,5] w = {...}, float[2,5] b = {...}, float[2,5,3] c = {...}>
    {
      h = MatMul (x, a) m = Einsum <equation = "btd,dhk->bthk"> (h, w) p = Add (m, b) t = Tanh (p)
      y = Einsum <equation = "bthk,hkm->btm"> (t, c)
    }
    """,
    "einsum that permutes": """
    main (float[N,5,6] x) => (float[] y) <float[6,4] a = {...}, float[2,5,4] w = {...}, float[5,3] c = {...}>
    { h = MatMul (x, a) m = Einsum <equation = "hkd,btd->htbk"> (w, h) t = Tanh (m) y = MatMul (t, c) }
    """,
    "half precision": """
    main (float16[N,5,6] x) => (float16[] y)
    <float16[6,4] a = {...}, float16[4,5] w = {...}, float16[5,3] c = {...}>
    { h = MatMul (x, a) m = MatMul (h, w) t = Tanh (m) y = MatMul (t, c) }
    """,
  ]

  /// The network with a last channel that is a tenth of the sum of the first two.
  private func model(_ name: String) throws -> Model {
    var model = try parseModel(Self.networks[name]!)
    let value = try #require(model.graph.value(named: "a"))
    let weight = try #require(model.graph[value].constant)
    var elements = weight.floats
    for row in 0..<weight.shape[0] {
      elements[row * 4 + 3] = (elements[row * 4] + elements[row * 4 + 1]) / 10
    }
    model.graph.setTensor(
      of: value, to: Tensor(rounding: elements, to: weight.elementType, shape: weight.shape))
    return model
  }

  private func samples(_ graph: Graph) throws -> HeldBatches {
    var random = SplitMix64(seed: 3)
    let name = graph[graph.inputs[0]].name
    let shape = try #require(graph[graph.inputs[0]].tensorType?.shape)
    return HeldBatches(
      try (0..<8).map { seed in
        try SeededInputs(seed: seed).tensors(
          for: graph, shapes: [name: shape.map { $0.fixedExtent ?? 16 }]
        ).map { tensor in
          guard tensor.elementType == .int64 else { return tensor }
          let ids = (0..<tensor.count).map { _ in Int64(random.next() % 20) }
          return Tensor(.int64, shape: tensor.shape, elements: ids)
        }
      })
  }

  /// Greatest difference of the outputs on samples, relatively.
  private func difference(
    _ graph: Graph, _ original: Graph, _ samples: HeldBatches
  ) throws -> Double {
    let inputs = try samples.tensors(ofBatch: 0)
    return Comparison(
      try ReferenceEvaluator(graph).run(inputs),
      expected: try ReferenceEvaluator(original).run(inputs)
    ).maxRelative
  }

  private static let mask = "score-channels,mask-channels{ratio=0 ratio-for=a=0.25 align=1},"

  @Test(arguments: Self.networks.keys.sorted(), ["true", "false"])
  func aSumOfKeptChannelsIsRestored(_ name: String, _ reselect: String) throws {
    let model = try model(name)
    let samples = try samples(model.graph)
    let plain = try PassRun(Self.mask + "shrink-channels", on: model)
    let fitted = try PassRun(
      Self.mask + "reconstruct-layers{reselect=\(reselect)},shrink-channels", on: model,
      calibration: samples)
    #expect(fitted.unchecked.isEmpty)
    let weight = try #require(fitted.graph.value(named: "a"))
    #expect(fitted.graph[weight].constant?.shape.last == 3)
    let before = try difference(plain.graph, model.graph, samples)
    let after = try difference(fitted.graph, model.graph, samples)
    #expect(after < 0.1 * before, "\(name): \(after) after \(before)")
  }

  @Test(arguments: Self.networks.keys.sorted())
  func scoresAndDamageSeeTheConsumer(_ name: String) throws {
    let model = try model(name)
    let run = try PassRun(
      "collect-statistics,score-channels{criterion=obs},measure-damage{effort=quick}", on: model,
      calibration: try samples(model.graph))
    let coupled = try CoupledModel(run.graph)
    let weight = try #require(run.graph.value(named: "a"))
    let group = try #require(
      coupled.coupling.groups.first { $0.members.contains { $0.axis == Axis(weight, 1) } })
    let scores = try #require(run.context.scores?.scores(of: group))
    let curve = try #require(run.context.damage?[group])
    // Any of the three that depend on each other may go, but not the third, which no other stands in for.
    #expect(scores.indices.min { scores[$0] < scores[$1] } != 2)
    #expect(curve.divergence(keeping: 3) < 0.02 * curve.divergence(keeping: 2))
  }
}
