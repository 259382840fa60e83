import ONNXText
import Runtime
import TestSupport
import Testing

/// The runtime against the reference evaluator on graphs made at random.
@Suite struct RandomGraphTests {
  @Test(arguments: Array(stride(from: 0, to: 300, by: 25)))
  func agreesWithReference(from first: Int) throws {
    for seed in first..<(first + 25) {
      let model = RandomGraph.model(seed: UInt64(seed))
      do {
        let inputs = try SeededInputs(seed: UInt64(seed)).tensors(for: model.graph)
        let expected = try ReferenceEvaluator(model.graph).run(inputs)
        let session = Session(model.graph, threadCount: seed % 2 + 1)
        // The second run finds what the first has left in memory.
        for _ in 0..<2 {
          let comparison = Comparison(try session.run(inputs), expected: expected)
          #expect(
            comparison.maxRelative < 1e-4,
            "seed \(seed)\n\(printModel(model, options: .readable))")
        }
        let memory = try session.memory(for: inputs)
        #expect(memory.arena <= 2 * memory.lowerBound)
      } catch {
        Issue.record("seed \(seed): \(error)\n\(printModel(model, options: .readable))")
      }
    }
  }
}
