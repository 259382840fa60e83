import PrunecPasses
import Testing

@Suite struct LowerMasksTests {
  @Test func goldens() throws { try expectGoldens(of: LowerMasks.self) }
}
