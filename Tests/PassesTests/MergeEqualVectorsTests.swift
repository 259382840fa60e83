import PrunecPasses
import Testing

@Suite struct MergeEqualVectorsTests {
  @Test func goldens() throws { try expectGoldens(of: MergeEqualVectors.self) }
}
