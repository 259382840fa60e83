import CPrunecKernelChecks
import CPrunecKernels
import Testing

/// Each kernel of each instruction set that this machine runs, against plain loops over odd sizes.
@Suite struct KernelTests {
  typealias Check = @convention(c) (UnsafePointer<prunec_kernels>?) -> UnsafePointer<CChar>?

  private func expectSuccess(_ check: Check, of variant: String) {
    let failure = check(prunec_kernels_named(variant)).map { String(cString: $0) }
    #expect(failure == nil)
  }

  @Test(arguments: variants) func products(variant: String) {
    expectSuccess(prunec_check_product, of: variant)
  }

  @Test(arguments: variants) func winogradTransforms(variant: String) {
    expectSuccess(prunec_check_winograd, of: variant)
  }

  @Test(arguments: variants) func depthwiseConvolutions(variant: String) {
    expectSuccess(prunec_check_depthwise, of: variant)
  }

  @Test(arguments: variants) func poolings(variant: String) {
    expectSuccess(prunec_check_pooling, of: variant)
  }

  @Test(arguments: variants) func functions(variant: String) {
    expectSuccess(prunec_check_functions, of: variant)
  }

  @Test(arguments: variants) func programs(variant: String) {
    expectSuccess(prunec_check_programs, of: variant)
  }

  @Test(arguments: variants) func softmax(variant: String) {
    expectSuccess(prunec_check_softmax, of: variant)
  }

  @Test(arguments: variants) func rowNormalizations(variant: String) {
    expectSuccess(prunec_check_row_normalization, of: variant)
  }

  @Test(arguments: variants) func groupNormalizations(variant: String) {
    expectSuccess(prunec_check_group_normalization, of: variant)
  }

  @Test(arguments: variants) func reductions(variant: String) {
    expectSuccess(prunec_check_reduction, of: variant)
  }

  @Test(arguments: variants) func copies(variant: String) {
    expectSuccess(prunec_check_copy, of: variant)
  }

  @Test(arguments: variants) func gathers(variant: String) {
    expectSuccess(prunec_check_gather, of: variant)
  }

  @Test(arguments: variants) func resizes(variant: String) {
    expectSuccess(prunec_check_resize, of: variant)
  }

  @Test func threadPools() {
    #expect(prunec_check_thread_pool().map { String(cString: $0) } == nil)
  }
}
