import Passes
import Testing

@Suite struct FoldBatchNormTests {
  @Test func goldens() throws { try expectGoldens(of: FoldBatchNorm.self) }
}
