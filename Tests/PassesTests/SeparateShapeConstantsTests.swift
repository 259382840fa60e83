import PrunecPasses
import Testing

@Suite struct SeparateShapeConstantsTests {
  @Test func goldens() throws { try expectGoldens(of: SeparateShapeConstants.self) }
}
