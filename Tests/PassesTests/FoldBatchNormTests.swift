import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecTestSupport
import Testing

@Suite struct FoldBatchNormTests {
  @Test func goldens() throws { try expectGoldens(of: FoldBatchNorm.self) }

  private let network = """
    main (float[1,2,1,1] x) => (float[1,1,1,1] y)
    <float[4,2,1,1] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[1,4,1,1] v = {1, 2, 3, 5},
     float[4] s = {1, 1, 1, 1}, float[4] b = {1, 2, 3, 4}, float[4] zero = {0, 0, 0, 0},
     float[4] one = {1, 1, 1, 1}>
    {
      [conv] a = Conv (x, w)
      t = Identity (s)
      [norm] n = BatchNormalization (a, t, b, zero, one)
      [last] y = Conv (n, v)
    }
    """

  private func cut(_ options: String = "") throws -> PassRun {
    try PassRun(
      "fixpoint(fold-constants),fold-batch-norm,eliminate-dead-nodes,score-channels,"
        + "mask-channels{ratio=0.5 align=1\(options)},shrink-channels", on: network)
  }

  /// The parameters are cut as the weight that they have been folded into, also those that have
  /// become others before.
  @Test func parametersFollowTheWeight() throws {
    let context = try cut().context
    let kept = try #require(context.shrinkage).keptOfOriginal
    let names = kept.map { "\(context.original[$0.key.value].name) \($0.key.index) \($0.value)" }
    #expect(
      names.sorted() == [
        "b 0 [2, 3]", "one 0 [2, 3]", "s 0 [2, 3]", "v 1 [2, 3]", "w 0 [2, 3]", "zero 0 [2, 3]",
      ])
  }

  /// A group can be meant by what is gone.
  @Test(arguments: ["norm", "n", "b", "s", "conv", "a"])
  func namesStay(name: String) throws {
    #expect(try cut(" keep=\(name)").context.shrinkage?.keptIndices == [:])
  }

  @Test func noOtherNameMatches() throws {
    #expect(throws: CompileError.self) { try cut(" keep=m") }
  }
}
