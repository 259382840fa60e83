import PrunecGraphIR
import PrunecRuntime
import PrunecSemantics
import PrunecTestSupport
import Testing

/// The runtime against the reference evaluator on graphs made at random.
@Suite struct RandomGraphTests {
  @Test(arguments: Array(stride(from: 0, to: 300, by: 25)))
  func agreesWithReference(from first: Int) throws {
    for seed in first..<(first + 25) {
      let model = RandomGraph.model(seed: UInt64(seed))
      let report = failureReport(of: model, seed: seed) { try check($0, seed: seed) }
      if let report { Issue.record("\(report)") }
    }
  }

  @Test(arguments: try ReducedGraph.all())
  func agreesWithReference(on graph: ReducedGraph) throws {
    for seed in graph.seeds { try check(graph.model, seed: seed) }
  }

  private func check(_ model: Model, seed: Int) throws {
    let inputs = try SeededInputs(seed: UInt64(seed)).tensors(for: model.graph)
    let expected = try ReferenceEvaluator(model.graph).run(inputs)
    let session = Session(model.graph, threadCount: seed % 2 + 1)
    // The second run finds what the first has left in memory.
    for _ in 0..<2 {
      let comparison = Comparison(try session.run(inputs), expected: expected)
      guard comparison.maxRelative < 1e-4 else {
        throw BrokenProperty("equal to the reference", "relative error \(comparison.maxRelative)")
      }
    }
    let memory = try session.memory(for: inputs)
    guard memory.arena <= 2 * memory.lowerBound else {
      throw BrokenProperty("little memory", "\(memory.arena) bytes for \(memory.lowerBound)")
    }
  }
}
