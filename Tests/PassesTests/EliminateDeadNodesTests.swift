import PrunecPasses
import Testing

@Suite struct EliminateDeadNodesTests {
  @Test func goldens() throws { try expectGoldens(of: EliminateDeadNodes.self) }
}
