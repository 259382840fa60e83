import PrunecPasses
import Testing

@Suite struct FoldConstantsTests {
  @Test func goldens() throws { try expectGoldens(of: FoldConstants.self) }
}
