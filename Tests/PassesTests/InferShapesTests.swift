import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecTestSupport
import Testing

@Suite struct InferShapesTests {
  @Test func goldens() throws { try expectGoldens(of: InferShapes.self) }

  @Test func staleDeclarationsAreReported() throws {
    let run = try PassRun(
      "infer-shapes",
      on: """
        main (float[2,4] x) => (float[4,2] y)
        <float[2,3] t, float[7] u>
        {
          t = Relu (x)
          u = Transpose (t)
          y = Neg (u)
        }
        """)
    #expect(
      run.context.warnings.map(\.description) == [
        "value 't': warning: axis 1 is declared with extent 3 but has 4",
        "value 'u': warning: is declared with 1 axes but has 2",
      ])
  }

  /// A second run finds nothing to write, so that a fixpoint with this pass settles.
  @Test func settles() throws {
    let text = "main (float[N,2] x) => (y) { t = Relu (x)\n y = Neg (t) }"
    let once = try PassRun("infer-shapes", on: text)
    let again = try PassRun("fixpoint(infer-shapes)", on: once.model)
    #expect(again.graph.revision == once.graph.revision)
  }
}
