import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecPasses
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct ShrinkChannelsTests {
  @Test func goldens() throws { try expectGoldens(of: ShrinkChannels.self) }

  /// Whatever channels are masked: the shrunk graph computes what the masked one does. Which go is
  /// drawn by lot; running both graphs is the test.
  @Test(arguments: CoupledNetwork.all, SplitDirection.allCases)
  func shrunkEqualsMasked(_ network: CoupledNetwork, _ direction: SplitDirection) throws {
    for (seed, ratio) in [(1, 0.25), (2, 0.5), (3, 0.7)] {
      let run = try PassRun(
        """
        score-channels{criterion=random seed=\(seed)},mask-channels{ratio=\(ratio) align=1},\
        shrink-channels,fixpoint(eliminate-identities,fold-constants,eliminate-dead-nodes)
        """, on: network.text, direction: direction)
      #expect(run.unchecked.isEmpty)
      let (before, after) = (run.context.original, run.graph)
      let (old, new) = (
        Cost(of: before, try GraphFacts(of: before)), Cost(of: after, try GraphFacts(of: after))
      )
      #expect(new.parameters < old.parameters && new.macs < old.macs, "ratio \(ratio)")
      #expect(!after.nodes.contains { after[$0].operation.isMask })
    }
  }

  /// Heads and their dimensions can be cut one after the other.
  @Test func bothFactorsOfAnAxis() throws {
    let attention = try #require(CoupledNetwork.all.first { $0.name == "attention" })
    let pipeline = """
      score-channels{criterion=random},mask-channels{ratio=0.5 align=1 keep=up keep=embed},\
      shrink-channels
      """
    let dimensions = try PassRun(pipeline, on: attention.text, direction: .inner)
    let heads = try PassRun(pipeline, on: dimensions.model, direction: .outer)
    func shape(_ run: PassRun) -> [Int]? {
      run.graph.value(named: "wq").flatMap { run.graph[$0].constant?.shape }
    }
    #expect(shape(dimensions) == [8, 8])
    #expect(shape(heads) == [8, 4])
  }

  /// What went is recorded by the values' IDs in the original graph.
  @Test func shrinkageIsRecorded() throws {
    let run = try PassRun(
      "shrink-channels",
      on: """
        main (float[1,2] x) => (float[1,1] y)
        <float[3,2] w = {1, 2, 3, 4, 5, 6}, float[3] b = {1, 2, 3}, float[1,3] v = {1, 2, 3}>
        {
          h = Gemm <transB = 1> (x, w, b)
          m = ai.prunec.Mask <axis = 1, keep = [0, 2]> (h)
          y = Gemm <transB = 1> (m, v)
        }
        """)
    let original = run.context.original
    let kept = try #require(run.context.shrinkage).keptIndices
    for (name, axis) in [("w", 0), ("b", 0), ("v", 1), ("h", 1)] {
      #expect(kept[Axis(original.value(named: name)!, axis)] == [0, 2])
    }
    #expect(kept[Axis(original.value(named: "w")!, 1)] == nil)
    #expect(run.context.maskedGraph?.nodeCount == 3)
  }

  private let chain = """
    main (float[1,2] x) => (float[1,1] y)
    <float[8,2] w = {4, 0, 8, 0, 1, 0, 7, 0, 3, 0, 6, 0, 2, 0, 5, 0}, float[1,8] v = {...}>
    {
      h = Gemm <transB = 1> (x, w)
      y = Gemm <transB = 1> (h, v)
    }
    """

  /// Channels can be taken out twice: scores follow the first cut, and what is recorded counts the
  /// channels of the original.
  @Test func twice() throws {
    let cut = "mask-channels{ratio=0.5 align=1},shrink-channels"
    let run = try PassRun("score-channels,\(cut),\(cut)", on: chain)
    let original = run.context.original
    let kept = try #require(run.context.shrinkage).keptIndices
    #expect(kept[Axis(original.value(named: "w")!, 0)] == [1, 3])
    #expect(kept[Axis(original.value(named: "v")!, 1)] == [1, 3])
    #expect(run.graph.value(named: "w").flatMap { run.graph[$0].constant }?.floats == [8, 0, 7, 0])
  }

  /// Nothing of prunec's own operators is left, not even their import.
  @Test func noImportIsLeft() throws {
    let run = try PassRun(
      "score-channels,mask-channels{ratio=0.5 align=1},shrink-channels", on: chain)
    #expect(run.context.maskedGraph?.opsetVersion(of: Mask.domain) == 1)
    #expect(run.graph.opsetVersion(of: Mask.domain) == nil)
  }

  /// The same weights with data that is not at hand are cut all the same: only their shapes count.
  @Test func weightsWithoutData() throws {
    let run = try PassRun(
      "shrink-channels",
      on: """
        main (float[1,2] x) => (float[1,1] y)
        <float[3,2] w = ["location" : "w.bin"], float[1,3] v = {1, 2, 3}>
        {
          h = Gemm <transB = 1> (x, w)
          m = ai.prunec.Mask <axis = 1, keep = [0, 2]> (h)
          y = Gemm <transB = 1> (m, v)
        }
        """)
    let weight = try #require(run.graph.value(named: "w").flatMap { run.graph[$0].constant })
    #expect(weight.shape == [2, 2])
    #expect(!weight.hasData)
    #expect(!run.unchecked.isEmpty)
  }
}
