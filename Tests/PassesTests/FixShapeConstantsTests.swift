import PrunecPasses
import Testing

@Suite struct FixShapeConstantsTests {
  @Test func goldens() throws { try expectGoldens(of: FixShapeConstants.self) }
}
