import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

/// The fit of weights that are stored as integers.
@Suite struct ReconstructQuantizedTests {
  private static let convolutions = """
    main (float[N,4,7,7] x) => (float[] y)
    <
      float[12,4,1,1] a = {...}, int8[8,12,3,3] w = {...},
      float[8] s = {0.004, 0.003, 0.005, 0.004, 0.003, 0.004, 0.006, 0.003}, int8[8] z = {0,0,0,0,0,0,0,0},
      int32[8] b = {10, 20, -30, 40, 50, -60, 70, 80},
      float[8] t = {0.002, 0.0015, 0.0025, 0.002, 0.0015, 0.002, 0.003, 0.0015}, float[3,8,1,1] c = {...}
    >
    {
      h = Conv (x, a) r = Relu (h)
      wd = DequantizeLinear <axis = 0> (w, s, z) bd = DequantizeLinear <axis = 0> (b, t)
      g = Conv (r, wd, bd) u = Relu (g) y = Conv (u, c)
    }
    """
  private static let networks = [
    "convolutions": convolutions,
    "one scale, a zero point": """
    main (float[N,6] x) => (float[] y)
    <float[6,16] a = {...}, uint8[16,12] w = {...}, float s = {0.004}, uint8 z = {117}, float[12,3] c = {...}>
    { h = MatMul (x, a) r = Relu (h) wd = DequantizeLinear (w, s, z) m = MatMul (r, wd) t = Relu (m) y = MatMul (t, c) }
    """,
    "one scale, with a bias": """
    main (float[N,6] x) => (float[] y)
    <
      float[6,16] a = {...}, int8[12,16] w = {...}, float s = {0.004}, int8 z = {0}, int32[12] b = {...}, float[1] t = {0.002},
      int32 q = {0}, float[12,3] c = {...}
    >
    {
      h = MatMul (x, a) r = Relu (h) wd = DequantizeLinear (w, s, z) bd = DequantizeLinear (b, t, q)
      m = Gemm <transB = 1> (r, wd, bd) u = Relu (m) y = MatMul (u, c)
    }
    """,
    "without a zero point": """
    main (float[N,6] x) => (float[] y)
    <float[6,16] a = {...}, int8[16,12] w = {...}, float s = {0.004}, float[12] b = {...}, float[12,3] c = {...}>
    {
      h = MatMul (x, a) r = Relu (h) wd = DequantizeLinear (w, s) m = MatMul (r, wd) p = Add (m, b)
      t = Relu (p) y = MatMul (t, c)
    }
    """,
    "half precision": """
    main (float16[N,6] x) => (float16[] y)
    <float16[6,16] a = {...}, int8[16,12] w = {...}, float16 s = {0.004}, float16[12,3] c = {...}>
    { h = MatMul (x, a) r = Relu (h) wd = DequantizeLinear (w, s) m = MatMul (r, wd) t = Relu (m) y = MatMul (t, c) }
    """,
  ]
  private static let mask = "score-channels,mask-channels{ratio=0 ratio-for=a=0.5 align=1},"

  /// The network, whose weight takes most of the range of its integers.
  private func model(_ text: String) throws -> Model {
    var model = try parseModel(text)
    let value = try #require(model.graph.value(named: "w"))
    let old = try #require(model.graph[value].constant)
    var random = SplitMix64(seed: 5)
    let integers = (0..<old.count).map { _ in
      Int.random(in: old.elementType == .int8 ? -120...120 : 10...240, using: &random)
    }
    model.graph.setTensor(
      of: value, to: Tensor(wrapping: integers, to: old.elementType, shape: old.shape))
    return model
  }

  private func error(_ graph: Graph, _ original: Graph, _ samples: HeldBatches) throws -> Double {
    var sum = 0.0
    for batch in 0..<samples.count {
      let inputs = try samples.tensors(ofBatch: batch)
      let now = try ReferenceEvaluator(graph).run(inputs)[0].floats
      let before = try ReferenceEvaluator(original).run(inputs)[0].floats
      for (x, y) in zip(now, before) { sum += Double(x - y) * Double(x - y) }
    }
    return sum
  }

  private func tensor(_ name: String, _ graph: Graph) throws -> Tensor {
    let value = try #require(graph.value(named: name))
    return try #require(graph[value].constant)
  }

  @Test(arguments: Self.networks.keys.sorted(), ["true", "false"])
  func theSmallNetworkIsNearerToTheOriginal(_ name: String, _ reselect: String) throws {
    let model = try model(Self.networks[name]!)
    let samples = try HeldBatches(
      seeded: model.graph, count: 8, shapes: name == "convolutions" ? [:] : ["x": [64, 6]])
    let plain = try PassRun(Self.mask + "shrink-channels", on: model)
    let fitted = try PassRun(
      Self.mask + "reconstruct-layers{reselect=\(reselect)},shrink-channels", on: model,
      calibration: samples)
    #expect(fitted.unchecked.isEmpty)
    let weight = try tensor("w", fitted.graph)
    let old = try tensor("w", plain.graph)
    #expect(weight.elementType == old.elementType && weight.integers != old.integers)
    #expect(try tensor("s", fitted.graph) != tensor("s", plain.graph))
    let before = try error(plain.graph, model.graph, samples)
    let after = try error(fitted.graph, model.graph, samples)
    #expect(after < 0.9 * before, "\(name): \(after) is not less than \(before)")
    #expect(
      fitted.context.warnings.contains { $0.message.contains("fitted weights are quantised anew") })
  }

  /// Runtimes that compute in integers take the bias's scale for the product of those of data and weight.
  @Test func whatScalesHaveInCommonStays() throws {
    let model = try model(Self.convolutions)
    let samples = try HeldBatches(seeded: model.graph, count: 8)
    let run = try PassRun(
      Self.mask + "reconstruct-layers,shrink-channels", on: model, calibration: samples)
    #expect(try tensor("z", run.graph) == tensor("z", model.graph))
    let ratios = zip(try tensor("t", run.graph).floats, try tensor("s", run.graph).floats)
    for (bias, weight) in ratios { #expect(abs(bias / weight - 0.5) < 1e-5) }
    #expect(try tensor("w", run.graph).integers.allSatisfy { abs($0) <= 120 })
  }

  /// A quantised scale of a normalization is no weight of a layer, and stays.
  @Test func normalizationsStay() throws {
    let model = try model(
      """
      main (float[N,4,7,7] x) => (float[] y)
      <
        float[12,4,1,1] a = {...}, int8[8,12,1,1] w = {...}, float s = {0.004}, int8[8] k = {9,8,7,6,5,4,3,2}, float t = {0.1},
        float[8] b = {...}, float[3,8,1,1] c = {...}
      >
      {
        h = Conv (x, a) r = Relu (h) wd = DequantizeLinear (w, s) g = Conv (r, wd)
        kd = DequantizeLinear (k, t) n = InstanceNormalization (g, kd, b) y = Conv (n, c)
      }
      """)
    let run = try PassRun(
      Self.mask + "reconstruct-layers,shrink-channels", on: model,
      calibration: try HeldBatches(seeded: model.graph, count: 8))
    for name in ["k", "t", "b"] {
      #expect(try tensor(name, run.graph) == tensor(name, model.graph))
    }
  }

  @Test func aLayerWithoutABiasIsNotGivenOne() throws {
    let text = Self.convolutions
      .replacing(", bd)", with: ")").replacing("bd = DequantizeLinear <axis = 0> (b, t)", with: "")
    let model = try model(text)
    let samples = try HeldBatches(seeded: model.graph, count: 8)
    let run = try PassRun(
      Self.mask + "reconstruct-layers,shrink-channels", on: model, calibration: samples)
    let weight = try #require(run.graph.value(named: "wd"))
    let layer = try #require(run.graph[weight].uses.first?.node)
    #expect(run.graph[layer].inputs.count == 2)
  }
}
