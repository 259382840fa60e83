import CPrunecKernels
import Testing

/// The instruction sets that this machine runs.
let variants = ["baseline", "neon", "avx2", "avx512"].filter { (name: String) in
  prunec_kernels_named(name) != nil
}

@Suite struct DispatchTests {
  @Test func thereAreKernelsForEveryMachine() throws {
    #expect(!variants.isEmpty)
    let best = try #require(prunec_kernels_best())
    #expect(variants.last == String(cString: best.pointee.name))
  }

  @Test func namesThatNobodyKnowsGiveNothing() {
    #expect(prunec_kernels_named("cray") == nil)
  }
}
