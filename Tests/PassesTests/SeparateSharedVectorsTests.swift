import PrunecPasses
import Testing

@Suite struct SeparateSharedVectorsTests {
  @Test func goldens() throws { try expectGoldens(of: SeparateSharedVectors.self) }
}
