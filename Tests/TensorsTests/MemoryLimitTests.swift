import PrunecTensors
import Testing

@Suite struct MemoryLimitTests {
  @Test func theMachineBoundsIt() {
    #expect(MemoryLimit.ofMachine > 0)
    #expect(MemoryLimit.bytes <= MemoryLimit.ofMachine)
    #expect(MemoryLimit.available < MemoryLimit.ofMachine)
  }

  @Test func smallAllocationsAreNotAskedFor() {
    #expect(MemoryLimit.admits(MemoryLimit.smallest - 1))
    #expect(!MemoryLimit.admits(.max))
  }
}
