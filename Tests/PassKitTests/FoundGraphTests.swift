import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecPasses
import PrunecSemantics
import PrunecTensors
import Testing

/// Graphs that random testing found to be pruned wrongly once, reduced to what mattered.
@Suite struct FoundGraphTests {
  /// Prunes and expects the result to compute what the masked graph does; gives it back.
  @discardableResult
  private func prune(
    _ text: String, ratio: Double = 0.5, _ direction: SplitDirection = .inner,
    _ location: SourceLocation = #_sourceLocation
  ) throws -> Graph {
    var graph = try parseModel(text).graph
    var context = PassContext(original: graph)
    context.couplingOptions.direction = direction
    var options = PassManager.Options()
    options.verifyEach = true
    let pipeline = "score-channels,mask-channels{ratio=\(ratio) align=1},shrink-channels"
    var manager = try PassManager(Pipeline(pipeline), registry: allPasses, options: options)
    try manager.run(on: &graph, &context)
    let masked = try #require(context.maskedGraph, sourceLocation: location)
    let inputs = try SeededInputs().tensors(for: masked)
    let comparison = Comparison(
      try ReferenceEvaluator(graph).run(inputs),
      expected: try ReferenceEvaluator(masked).run(inputs))
    #expect(comparison.maxRelative < 1e-5, sourceLocation: location)
    return graph
  }

  /// The indices of a Gather get fewer with the channels, which is no error.
  @Test func gatherOfSomeChannels() throws {
    let graph = try prune(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,6] w1 = {...}, int64[4] order = {5, 3, 2, 0}, float[4,2] w2 = {...}>
      {
        t = MatMul (x, w1)
        g = Gather <axis = 1> (t, order)
        y = MatMul (g, w2)
      }
      """)
    let order = try #require(graph.value(named: "order"))
    #expect(graph[order].constant?.count == 2)
  }
}
