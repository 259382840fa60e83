import PrunecPasses
import Testing

@Suite struct CorrectTypesTests {
  @Test func goldens() throws { try expectGoldens(of: CorrectTypes.self) }
}
