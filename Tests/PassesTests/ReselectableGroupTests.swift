import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecSemantics
import PrunecTestSupport
import Testing

@Suite struct ReselectableGroupTests {
  /// The layers of a masked graph before which channels can be chosen anew, by the names of their weights.
  private func layers(_ text: String) throws -> [String] {
    let run = try PassRun(
      "score-channels,mask-channels{ratio=0.5 align=1}", on: try parseModel(text))
    let facts = try GraphFacts(of: run.graph)
    let groups = ReselectableGroup.all(
      in: run.graph, facts, CouplingAnalysis(of: run.graph, facts))
    for group in groups {
      #expect(group.indices.count == 2 * group.kept.count)
      let mask = try #require(run.graph[run.graph[group.consumer].inputs[0]!].definingNode)
      let keep = try #require(MaskNode(mask, run.graph, facts)).keep
      #expect(group.kept.flatMap { group.indices[$0] }.sorted() == keep)
    }
    return groups.map { run.graph[run.graph[$0.consumer].inputs[1]!].name }.sorted()
  }

  @Test func onlyWhatOneLayerReads() throws {
    let found = try layers(
      """
      main (float[1,3,6,6] x) => (float[] y)
      <float[8,3,1,1] a = {...}, float[6,8,3,3] b = {...}, float[8,6,1,1] c = {...}, float[2,8,1,1] d = {...}>
      {
        s = Conv (x, a) h = Conv <pads = [1,1,1,1]> (s, b) r = Relu (h) t = Conv (r, c) s1 = Add (s, t)
        y = Conv (s1, d)
      }
      """)
    #expect(found == ["c"])
  }

  /// Filters of their own, and flattening, leave the layer behind the only one that sums.
  @Test func throughDepthwiseLayersAndReshapes() throws {
    let found = try layers(
      """
      main (float[1,4,6,6] x) => (float[] y)
      <float[8,4,1,1] a = {...}, float[8,1,3,3] b = {...}, float[4,8,1,1] c = {...}, float[3,144] d = {...}>
      {
        h = Conv (x, a) r = Relu (h) g = Conv <group = 8, pads = [1,1,1,1]> (r, b) r2 = Relu (g) k = Conv (r2, c)
        f = Flatten (k) y = Gemm <transB = 1> (f, d)
      }
      """)
    #expect(found == ["c", "d"])
  }

  /// A normalization over the channels sees those that go, too.
  @Test func notWhatIsNormalizedOver() throws {
    let found = try layers(
      """
      <ir_version: 10, opset_import: ["" : 18]>
      main (float[1,5,6] x) => (float[] y)
      <float[6,8] a = {...}, float[8] s = {1,2,1,2,1,2,1,2}, float[8] b = {...}, float[8,12] c = {...}, float[12,3] d = {...}>
      {
        h = MatMul (x, a) n = LayerNormalization (h, s, b) m = MatMul (n, c) g = Relu (m) y = MatMul (g, d)
      }
      """)
    #expect(found == ["d"])
  }

  @Test func anotherChoiceIsMasked() throws {
    let model = try parseModel(
      """
      main (float[1,3,6,6] x) => (float[] y) <float[4,3,1,1] a = {...}, float[2,4,1,1] b = {...}>
      { h = Conv (x, a) r = Relu (h) y = Conv (r, b) }
      """)
    let run = try PassRun("score-channels,mask-channels{ratio=0.5 align=1}", on: model)
    let facts = try GraphFacts(of: run.graph)
    let group = try #require(
      ReselectableGroup.all(in: run.graph, facts, CouplingAnalysis(of: run.graph, facts)).first)
    var graph = run.graph
    let others = (0..<4).filter { !group.kept.contains($0) }
    group.keep(others, in: &graph)
    let masks = try graph.nodes.compactMap { MaskNode($0, graph, try GraphFacts(of: graph)) }
    #expect(masks.map(\.keep) == [others])
  }
}
