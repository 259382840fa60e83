import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
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
