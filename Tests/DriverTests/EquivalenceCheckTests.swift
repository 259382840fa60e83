import PrunecDriver
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecSemantics
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
    #expect(check.reasonNotRun?.contains("nothing is left to run") == true)
  }

  /// What is not known makes something up of the same type, or ends what can be compared; what it reads is
  /// compared either way.
  @Test func partsThatCanRunAreChecked() throws {
    func text(_ declaration: String) -> String {
      """
      main (float[N,3] x) => (float[N,3] y, float[N,3] z)
      <\(declaration)>
      {
        t = Relu (x)
        u = com.example.Odd (t)
        y = Neg (u)
        z = Exp (x)
        unused = com.example.Other (t)
      }
      """
    }
    let known = try check(AddDeadNode.self, text("float[N,3] u"))
    #expect(known.failure == nil)
    #expect(known.omission == "operators that are not known: com.example.Odd")
    let open = try check(AddDeadNode.self, text("float[K,3] u"))
    #expect(open.omission == "operators that are not known: com.example.Odd; not reached: y")
    for declaration in ["float[N,3] u", "float[K,3] u"] {
      #expect(try check(SkipFirstNode.self, text(declaration)).failure != nil)
    }
    #expect(try check(SkipNegation.self, text("float[N,3] u")).failure != nil)
    #expect(try check(SkipUnknown.self, text("float[N,3] u")).comparison == nil)
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
    skipFirstNode(nil, &graph)
  }
}

/// Takes out a node behind one that is not known.
private struct SkipNegation: Pass {
  static let name = "skip-negation"
  static let summary = "claims what is not true"
  static let effect = Effect.preserving(tolerance: 0)

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    skipFirstNode("Neg", &graph)
  }
}

/// Takes out the node that is not known.
private struct SkipUnknown: Pass {
  static let name = "skip-unknown"
  static let summary = "claims what nobody can tell"
  static let effect = Effect.preserving(tolerance: 0)

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    skipFirstNode("Odd", &graph)
  }
}

private func skipFirstNode(_ type: String?, _ graph: inout Graph) {
  let node = graph.nodes.first { type == nil || graph[$0].operation.type == type }!
  graph.replaceAllUses(of: graph[node].outputs[0]!, with: graph[node].inputs[0]!)
}

/// Does the same in the name of shrinking.
private struct SkipFirstNodeByShrinking: Pass {
  static let name = "skip-first-node-by-shrinking"
  static let summary = "claims what is not true"
  static let effect = Effect.shrinking

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    skipFirstNode(nil, &graph)
  }
}
