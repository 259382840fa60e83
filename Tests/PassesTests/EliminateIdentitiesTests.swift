import PrunecPasses
import Testing

@Suite struct EliminateIdentitiesTests {
  @Test func goldens() throws { try expectGoldens(of: EliminateIdentities.self) }
}
