import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import Testing

@Suite struct CostTests {
  /// Values made of weights are no weights of their own; those made of extents alone are.
  @Test func computedWeightsCountOnce() throws {
    let graph = try parseModel(
      """
      main (float[N,3] x) => (float[N,2] y) <float[2,3] w = {...}, int64[1] count = {2}>
      {
        t = Transpose (w)
        b = ConstantOfShape (count)
        m = MatMul (x, t)
        y = Add (m, b)
      }
      """
    ).graph
    #expect(Cost(of: graph, try GraphFacts(of: graph)).parameters == 6 + 2)
  }
}
