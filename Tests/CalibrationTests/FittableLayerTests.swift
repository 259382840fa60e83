import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

@Suite struct FittableLayerTests {
  private func layer(_ text: String) throws -> (graph: Graph, layer: FittableLayer?) {
    let graph = try parseModel(text).graph
    let facts = try GraphFacts(of: graph)
    let found = try #require(LinearLayer.all(in: graph, facts).first)
    return (graph, FittableLayer(found, graph, facts))
  }

  @Test func aVectorThatIsAddedBehindAMatrixProductIsItsBias() throws {
    let (graph, layer) = try layer(
      """
      main (float[2,5,6] x) => (float[] y) <float[6,4] w = {...}, float[4] b = {...}>
      { h = MatMul (x, w) y = Add (b, h) }
      """)
    guard case .constant(let bias)? = layer?.bias else {
      Issue.record("no bias")
      return
    }
    #expect(graph[bias].name == "b")
    #expect(layer.map { graph[$0.result].name } == "y")
  }

  /// A vector meets the last axis, which is no axis of channels behind a convolution.
  @Test func aRowThatIsAddedBehindAConvolutionIsNoBias() throws {
    let (graph, layer) = try layer(
      """
      main (float[2,3,4,4] x) => (float[] y) <float[4,3,1,1] w = {...}, float[4] row = {...}>
      { h = Conv (x, w) y = Add (h, row) }
      """)
    guard case .absent(let operand)? = layer?.bias else {
      Issue.record("the row is taken for a bias")
      return
    }
    #expect(operand == 2)
    #expect(layer.map { graph[$0.result].name } == "h")
  }

  /// The gates' bias is the first half of each direction's row; a missing one may be given.
  @Test func theBiasOfARecurrentLayer() throws {
    let text =
      "main (float[5,N,3] x) => (float[] y) <float[1,6,3] w = {...}, float[1,6,6] r = {...}"
    let (graph, given) = try layer(
      text.replacing("N", with: "2")
        + ", float[1,12] b = {1,2,3,4,5,6,7,8,9,10,11,12}> { y = RNN (x, w, r, b) }")
    let known = try #require(given)
    #expect(known.biasElements(graph) == [1, 2, 3, 4, 5, 6])
    let value = try #require(graph.value(named: "b"))
    let changed = known.bias([0, 0, 0, 0, 0, 1], replacing: graph[value].constant!)
    #expect(changed.floats == [0, 0, 0, 0, 0, 1, 7, 8, 9, 10, 11, 12])
    let missing = try layer(text.replacing("N", with: "2") + "> { y = RNN (x, w, r) }").layer
    guard case .absent(operand: 3)? = missing?.bias else {
      Issue.record("no place for a bias")
      return
    }
    #expect(missing?.newBias([1, 2, 3, 4, 5, 6], .float32).shape == [1, 12])
  }

  @Test(arguments: [
    // The weight is used twice, computed, or an integer; the bias is used twice.
    "<float[4,4] w = {...}> { h = MatMul (x, w) y = MatMul (h, w) }",
    "<float[4,4] v = {...}> { w = Transpose (v) y = MatMul (x, w) }",
    "<float[4,4] w = {...}, float[4] b = {...}> { h = Gemm (x, w, b) y = Add (h, b) }",
  ])
  func whatIsNotTheLayersOwnStays(_ text: String) throws {
    #expect(try layer("main (float[5,4] x) => (float[] y) \(text)").layer == nil)
  }
}
