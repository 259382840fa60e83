import PrunecPasses
import Testing

@Suite struct InlineBranchesTests {
  @Test func goldens() throws { try expectGoldens(of: InlineBranches.self) }
}
