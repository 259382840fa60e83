import Foundation
import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

@Suite struct LayerFormTests {
  private static let products = [
    "y = MatMul (x, w)": "float[2,5,6] x) => (float[N,M,4] y) <float[6,4] w = {...}",
    "y = Gemm (x, w, b)":
      "float[7,6] x) => (float[N,4] y) <float[6,4] w = {...}, float[4] b = {...}",
    "y = Gemm <transB = 1> (x, w, b)":
      "float[7,6] x) => (float[N,4] y) <float[4,6] w = {...}, float[4] b = {...}",
    "h = MatMul (x, w) y = Add (b, h)":
      "float[2,5,6] x) => (float[N,M,4] y) <float[6,4] w = {...}, float[1,4] b = {...}",
    "y = Einsum <equation = \"btd,df->btf\"> (x, w)":
      "float[2,5,6] x) => (float[] y) <float[6,4] w = {...}",
    "y = Einsum <equation = \"btd,dhk->bhtk\"> (x, w)":
      "float[2,5,6] x) => (float[] y) <float[6,4,3] w = {...}",
    "y = Einsum <equation = \"khd,bdth->tkb\"> (w, x)":
      "float[2,3,5,4] x) => (float[] y) <float[2,4,3] w = {...}",
    "y = Einsum <equation = \"bdt,hdk->tkhb\"> (x, w)":
      "float[2,3,5] x) => (float[] y) <float[2,3,4] w = {...}",
    "h = Einsum <equation = \"bthd,hdmn->btmn\"> (x, w) y = Add (h, b)":
      "float[2,5,4,3] x) => (float[] y) <float[4,3,2,5] w = {...}, float[2,5] b = {...}",
  ]

  /// Convolutions of every kind, made at random: `dimensions`, seed.
  private static func convolution(_ dimensions: Int, transposed: Bool, seed: UInt64) -> String {
    var random = SplitMix64(seed: seed)
    func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    func list(_ range: ClosedRange<Int>, _ count: Int) -> [Int] {
      (0..<count).map { _ in pick(range) }
    }
    // Transposed convolutions in groups are no linear layers.
    let groups = transposed ? 1 : pick(1...3)
    let (inputs, outputs) = (pick(1...3), pick(1...3))
    let kernel = list(1...3, dimensions)
    let extents = list(7...9, dimensions)
    let weight =
      [transposed ? inputs * groups : outputs * groups, transposed ? outputs : inputs] + kernel
    let strides = list(1...3, dimensions)
    var attributes =
      "group = \(groups), kernel_shape = \(kernel), strides = \(strides), "
      + "dilations = \(list(1...2, dimensions)), pads = \(list(0...2, 2 * dimensions))"
    if transposed { attributes += ", output_padding = \(strides.map { $0 - 1 })" }
    let bias = pick(0...1) == 1
    func text(_ extents: [Int]) -> String { extents.map(String.init).joined(separator: ",") }
    return """
      main (float[2,\(groups * inputs),\(text(extents))] x) => (float[] y)
      <float[\(text(weight))] w = {...}, float[\(groups * outputs)] b = {...}>
      { y = \(transposed ? "ConvTranspose" : "Conv") <\(attributes)> (x, w\(bias ? ", b" : "")) }
      """
  }

  private func expectRowsMakeTheResult(_ text: String) throws {
    let layer = try LayerCase(text)
    let count = layer.form.positionCount(ofResult: layer.result.shape)
    let positions = Array(stride(from: 0, to: count, by: 3))
    let channels = Array(0..<(layer.form.groups * layer.form.outputs))
    #expect(
      areClose(
        layer.product(at: positions),
        layer.form.results(of: layer.result, at: positions, channels: channels)),
      "\(text)")
  }

  @Test(arguments: [1, 2], 0..<20)
  func rowsOfAConvolutionMakeItsResult(dimensions: Int, seed: Int) throws {
    try expectRowsMakeTheResult(
      Self.convolution(dimensions, transposed: false, seed: UInt64(seed)))
  }

  @Test(arguments: [1, 2], 0..<20)
  func rowsOfATransposedConvolutionMakeItsResult(dimensions: Int, seed: Int) throws {
    try expectRowsMakeTheResult(
      Self.convolution(dimensions, transposed: true, seed: UInt64(100 + seed)))
  }

  @Test func paddingThatTheOperatorChooses() throws {
    for pad in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
      try expectRowsMakeTheResult(
        """
        main (float[2,3,7,6] x) => (float[] y) <float[4,3,3,2] w = {...}>
        { y = Conv <auto_pad = "\(pad)", strides = [2, 2]> (x, w) }
        """)
    }
  }

  @Test(arguments: Self.products.keys.sorted())
  func rowsOfAMatrixProductMakeItsResult(_ nodes: String) throws {
    try expectRowsMakeTheResult("main (\(Self.products[nodes]!)> { \(nodes) }")
  }

  @Test(arguments: 0..<10)
  func matricesThatArePutBackAreTheWeight(seed: Int) throws {
    for text in [
      Self.convolution(2, transposed: seed % 2 == 0, seed: UInt64(seed))
    ] + Self.products.map({ "main (\($0.value)> { \($0.key) }" }) + Self.recurrent {
      let layer = try LayerCase(text)
      var elements = [Float](repeating: .nan, count: layer.weight.count)
      for group in 0..<layer.form.groups {
        layer.form.put(
          layer.form.matrix(of: layer.weight, group: group), group: group, into: &elements)
      }
      #expect(elements == layer.weight.floats)
    }
  }

  private static let recurrent = [
    "main (float[5,2,3] x) => (float[] y) <float[1,6,3] w = {...}, float[1,6,6] r = {...}, float[1,12] b = {...}> { y = RNN (x, w, r, b) }",
    "main (float[5,2,3] x) => (float[] y) <float[2,12,3] w = {...}, float[2,12,3] r = {...}> { y = LSTM <direction = \"bidirectional\"> (x, w, r) }",
  ]

  /// Without a state from before, a plain recurrent layer's first step is a function of the products.
  @Test func rowsOfARecurrentLayerMakeItsGatesArguments() throws {
    let layer = try LayerCase(Self.recurrent[0])
    let other = layer.graph[try #require(layer.graph.value(named: "b"))].constant!.floats[6...]
    let count = layer.form.positionCount(data: layer.data.shape, result: layer.result.shape)
    #expect(count == 10 && layer.form.outputs == 6)
    let products = layer.product(at: [0, 1])
    let results = products.enumerated().map { tanh($1 + other[6 + $0 % 6]) }
    #expect(areClose(Array(layer.result.floats[0..<12]), results))
  }

  @Test func elementsOfARowThatMeetAnInput() throws {
    let layer = try LayerCase(
      """
      main (float[2,5,2,3] x) => (float[] y) <float[2,3,4] w = {...}>
      { y = Einsum <equation = "bthd,hdm->btm"> (x, w) }
      """)
    #expect(layer.form.inputAxes == [0, 1])
    #expect(layer.form.rowElements(alongInput: 0) == [[0, 1, 2], [3, 4, 5]])
    #expect(layer.form.rowElements(alongInput: 1) == [[0, 3], [1, 4], [2, 5]])
  }

  @Test(arguments: [
    "float[2,5,6] x) => (float[] y) <float[2,6,4] w = {...}> { y = Einsum <equation = \"btd,bdf->btf\"> (x, w)",
    "float[5,2,3] x) => (float[] y) <float[1,6,3] w = {...}, float[1,6,6] r = {...}, int32[2] n = {5, 3}> { y = RNN (x, w, r, , n)",
    "float[6,7] x) => (float[] y) <float[6,4] w = {...}> { y = Gemm <transA = 1> (x, w)",
    "float[7,6] x) => (float[] y) <float[6,4] w = {...}> { y = Gemm <alpha = 2.0> (x, w)",
    "float[6] x) => (float[] y) <float[6,4] w = {...}> { y = MatMul (x, w)",
    "float[6,7] x) => (float[] y) <float[4,6] w = {...}> { y = MatMul (w, x)",
    "float[2,5,6] x) => (float[] y) <float[2,6,4] w = {...}> { y = MatMul (x, w)",
  ])
  func otherProductsHaveNoForm(_ text: String) throws {
    let graph = try parseModel("main (\(text) }").graph
    let facts = try GraphFacts(of: graph)
    for layer in LinearLayer.all(in: graph, facts) {
      #expect(LayerForm(layer, graph, facts) == nil)
    }
  }
}
