import PrunecDriver
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecSemantics
import PrunecTensors
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
    if let constant = graph.value(named: "faulty"), let shape = graph[constant].constant?.shape {
      let ones = [Float](repeating: 1, count: shape.elementCount)
      graph.setTensor(of: constant, to: Tensor(ones, shape: shape))
    }
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

  /// A detector that has found nothing hands on an empty batch.
  @Test func emptyBatchesKeepTheirShapes() throws {
    let text = """
      main (float[N,3] x) => (float[N,3] y, float[2,3] z)
      <float[2,3] fixed = {0, 0, 0, 0, 0, 0}>
      {
        s = Shape (x)
        zeros = ConstantOfShape (s)
        y = Neg (zeros)
        z = Neg (fixed)
      }
      """
    #expect(try check(AddDeadNode.self, text).failure == nil)
    #expect(
      try check(FixTheBatch.self, text).failure
        == "the pruned model gives other shapes for an empty batch")
  }

  // MARK: Small faults

  private static let sums = """
    main (float[N,3] x) => (float[N,3] y)
    <float[3] faulty = {1, 1, 1}>
    {
      t = Relu (x)
      y = Mul (t, faulty)
    }
    """

  @Test func shrinkingIsHeldToItsTolerance() throws {
    #expect(try check(PerturbByShrinking<OnePercent>.self, Self.sums).failure != nil)
    #expect(try check(PerturbByShrinking<TenthOfAThousandth>.self, Self.sums).failure != nil)
    #expect(try check(PerturbByShrinking<Rounding>.self, Self.sums).failure == nil)
  }

  @Test func rewritesAreHeldToTheirs() throws {
    #expect(try check(Perturb<OnePercent>.self, Self.sums).failure != nil)
    #expect(try check(Perturb<TenthOfAThousandth>.self, Self.sums).failure == nil)
  }

  // MARK: Discontinuities

  /// Scores that are close choose what is given out: the order of any two may change by rounding.
  private static func choice(faultIsBehind: Bool) -> String {
    """
    main (float[1,64] x) => (float[1,32] y, int64[1,32] i)
    <float spread = {1e-7}, float one = {1}, float[\(faultIsBehind ? 32 : 64)] faulty = {...},
     int64[1] k = {32}>
    {
      flat = Mul (x, spread)
      close = Add (flat, one)
      scores = Mul (close, \(faultIsBehind ? "one" : "faulty"))
      v, i = TopK (scores, k)
      chosen = GatherElements <axis = 1> (x, i)
      y = Mul (chosen, \(faultIsBehind ? "faulty" : "one"))
    }
    """
  }

  @Test func choicesAmongCloseScoresAreFollowed() throws {
    let check = try check(PerturbByShrinking<Rounding>.self, Self.choice(faultIsBehind: false))
    #expect(check.failure == nil)
    #expect(check.discontinuityCount == 1)
  }

  @Test(arguments: [false, true])
  func faultsBeforeAndBehindAChoiceAreSeen(faultIsBehind: Bool) throws {
    let check = try check(
      PerturbByShrinking<OnePercent>.self, Self.choice(faultIsBehind: faultIsBehind))
    #expect(check.failure != nil)
    #expect((0.008...0.0101).contains(check.comparison?.maxRelative ?? 0))
  }

  /// A rewrite moves sums across halves, which are rounded to integers far apart in a network of few bits.
  @Test func roundingIsFollowed() throws {
    let text = """
      main (float[1,64] x) => (float[1,64] y)
      <float half = {0.5}, float zero = {0}, float[64] faulty = {...}, float scale = {1}, uint8 z = {0}>
      {
        flat = Mul (x, zero)
        halves = Add (flat, half)
        sums = Mul (halves, faulty)
        q = QuantizeLinear (sums, scale, z)
        y = DequantizeLinear (q, scale, z)
      }
      """
    let check = try check(PerturbByShrinking<Rounding>.self, text)
    #expect(check.failure == nil)
    #expect(check.discontinuityCount == 1)
    #expect(try self.check(PerturbByShrinking<OnePercent>.self, text).failure != nil)
  }
}

private protocol Fault: Sendable {
  static var factor: Float { get }
}
private struct OnePercent: Fault { static let factor: Float = 1.01 }
private struct TenthOfAThousandth: Fault { static let factor: Float = 1.0002 }
private struct Rounding: Fault { static let factor: Float = 1.0000002 }

/// Makes every second element of the constant called `faulty` another than one.
private func perturb(_ graph: inout Graph, _ fault: any Fault.Type) {
  let constant = graph.value(named: "faulty")!
  let shape = graph[constant].constant!.shape
  let elements = (0..<shape.elementCount).map { $0 % 2 == 1 ? fault.factor : 1 }
  graph.setTensor(of: constant, to: Tensor(elements, shape: shape))
}

private struct Perturb<Size: Fault>: Pass {
  static var name: String { "perturb" }
  static var summary: String { "claims what is not true" }
  static var effect: Effect { .preserving(tolerance: 0) }

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    perturb(&graph, Size.self)
  }
}

/// Does the same in the name of shrinking.
private struct PerturbByShrinking<Size: Fault>: Pass {
  static var name: String { "perturb-by-shrinking" }
  static var summary: String { "claims what is not true" }
  static var effect: Effect { .shrinking }

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    perturb(&graph, Size.self)
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

/// Takes two for the number of samples in any batch.
private struct FixTheBatch: Pass {
  static let name = "fix-the-batch"
  static let summary = "claims what holds for some inputs"
  static let effect = Effect.preserving(tolerance: 0)

  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    graph.replaceAllUses(of: graph.value(named: "zeros")!, with: graph.value(named: "fixed")!)
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
