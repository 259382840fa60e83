import PrunecPasses
import Testing

@Suite struct SinkBranchesTests {
  @Test func goldens() throws { try expectGoldens(of: SinkBranches.self) }
}
