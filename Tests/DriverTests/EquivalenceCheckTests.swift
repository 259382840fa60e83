import Driver
import ONNXText
import Testing

@Suite struct EquivalenceCheckTests {
  private static let text = """
    main (float[N,3] x) => (float[N,3] y)
    {
      t = Relu (x)
      y = Neg (t)
    }
    """

  private func check<Wrong: Pass>(_ type: Wrong.Type, _ text: String = text) throws
    -> EquivalenceCheck
  {
    var graph = try parseModel(text).graph
    var context = PassContext(original: graph)
    var manager = try PassManager(Pipeline(type.name), registry: PassRegistry([type], rules: []))
    try manager.run(on: &graph, &context)
    return EquivalenceCheck(
      manager.claims, original: context.original, tolerance: 1e-4, seed: 0)
  }

  @Test func whatHoldsPasses() throws {
    let check = try check(AddDeadNode.self)
    #expect(check.failure == nil)
    #expect(check.reasonNotRun == nil)
  }

  @Test func rewriteThatChangesTheFunctionFails() throws {
    let check = try check(SkipFirstNode.self)
    #expect(
      check.failure?.hasPrefix("preparing the model changed what it computes: relative error")
        == true)
  }

  @Test func shrinkingThatChangesTheFunctionFails() throws {
    let check = try check(SkipFirstNodeByShrinking.self)
    #expect(
      check.failure?.hasPrefix("the pruned model does not compute what the masked original does")
        == true)
    #expect(check.comparison!.maxRelative > 0.1)
  }

  @Test func whatCannotRunIsNotChecked() throws {
    let text = """
      main (float[N,3] x) => (float[N,3] y)
      {
        y = com.example.Odd (x)
      }
      """
    let check = try check(AddDeadNode.self, text)
    #expect(check.comparison == nil)
    #expect(check.reasonNotRun?.contains("cannot be evaluated") == true)
  }

  @Test func outputsThatAreNotFiniteProveNothing() throws {
    let text = """
      main (float[N,3] x) => (float[N,3] y)
      <float zero = {0.0}>
      {
        y = Div (x, zero)
      }
      """
    #expect(try check(AddDeadNode.self, text).reasonNotRun?.contains("not finite") == true)
  }
}

/// Adds a node that nothing uses.
private struct AddDeadNode: Pass {
  static let name = "add-dead-node"
  static let summary = "does no harm"
  static let effect = Effect.preserving(tolerance: 0)

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    graph.insert(
      OperationName("Exp"), name: "dead", inputs: [graph.inputs[0]], outputs: [("dead", nil)],
      at: .atEnd)
  }
}

/// Takes the first node out as if it were an Identity.
private struct SkipFirstNode: Pass {
  static let name = "skip-first-node"
  static let summary = "claims what is not true"
  static let effect = Effect.preserving(tolerance: 0)

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    skipFirstNode(&graph)
  }
}

private func skipFirstNode(_ graph: inout Graph) {
  let node = Array(graph.nodes)[0]
  graph.replaceAllUses(of: graph[node].outputs[0]!, with: graph[node].inputs[0]!)
}

/// Does the same in the name of shrinking.
private struct SkipFirstNodeByShrinking: Pass {
  static let name = "skip-first-node-by-shrinking"
  static let summary = "claims what is not true"
  static let effect = Effect.shrinking

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    skipFirstNode(&graph)
  }
}
