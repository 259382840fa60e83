import PrunecPasses
import Testing

@Suite struct InlineFunctionsTests {
  @Test func goldens() throws { try expectGoldens(of: InlineFunctions.self) }
}
