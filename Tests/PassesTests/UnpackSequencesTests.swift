import PrunecPasses
import Testing

@Suite struct UnpackSequencesTests {
  @Test func goldens() throws { try expectGoldens(of: UnpackSequences.self) }
}
