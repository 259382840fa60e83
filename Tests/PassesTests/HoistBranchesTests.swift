import PrunecPasses
import Testing

@Suite struct HoistBranchesTests {
  @Test func goldens() throws { try expectGoldens(of: HoistBranches.self) }
}
