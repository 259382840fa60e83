import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors
import Synchronization
import Testing

/// Doubles the constant `w`.
private func doubleConstant(of graph: inout Graph) {
  graph.withTensor(of: graph.value(named: "w")!) { tensor in
    tensor.withMutableElements(as: Float.self) { for i in $0.indices { $0[i] *= 2 } }
  }
}

/// Changes what the graph computes, which it must not.
private struct DoubleConstant: Pass {
  static let name = "double-constant"
  static let summary = "wrong on purpose"
  static let effect = Effect.preserving(tolerance: 1e-6)
  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    doubleConstant(of: &graph)
  }
}

/// The same, but said to change the function.
private struct MaskConstant: Pass {
  static let name = "mask-constant"
  static let summary = "changes the function on purpose"
  static let effect = Effect.masking
  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    doubleConstant(of: &graph)
  }
}

/// Puts the first node last, where its result comes too late.
private struct BreakOrder: Pass {
  static let name = "break-order"
  static let summary = "wrong on purpose"
  static let effect = Effect.annotating
  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    graph.move(graph.nodes.first { _ in true }!, to: .atEnd)
  }
}

/// Removes one Relu that follows another.
private struct MergeRelu: Pass {
  static let name = "merge-relu"
  static let summary = "remove one Relu of a chain"
  static let effect = Effect.preserving(tolerance: 0)
  init(options: inout OptionReader) throws(CompileError) {}

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    for id in graph.nodes where graph[id].operation == OperationName("Relu") {
      guard let operand = graph[id].inputs[0], let before = graph[operand].definingNode,
        graph[before].operation == OperationName("Relu")
      else { continue }
      graph.replaceAllUses(of: graph[id].outputs[0]!, with: operand)
      graph.erase(id)
      return
    }
  }
}

/// Takes one option of each kind.
private struct TakeOptions: Pass {
  enum Color: String, CaseIterable { case red, green }
  static let name = "take-options"
  static let summary = "keeps its options as a warning"
  static let effect = Effect.annotating
  static let double = PassOption("double", .number(in: 0...1), default: 0.25, help: "A number.")
  static let int = PassOption<Int?>("int", .integer(in: -5...5), help: "A whole number.")
  static let color = PassOption<Color?>("color", .choice, help: "A color.")
  static let names = PassOption(repeatable: "name", .text, help: "A name.")
  static let options: [any PassOptionDescription] = [double, int, color, names]
  let text: String

  init(options: inout OptionReader) throws(CompileError) {
    let (double, int) = try (options.value(Self.double), options.value(Self.int))
    let (color, names) = try (options.value(Self.color), options.value(Self.names))
    if names.count > 2 { throw options.error("at most two names") }
    text = "\(double) \(int ?? -1) \(color?.rawValue ?? "none") \(names)"
  }

  func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    context.warnings.append(Diagnostic(.warning, text))
  }
}

private let registry = PassRegistry(
  [
    DoubleConstant.self, MaskConstant.self, BreakOrder.self, MergeRelu.self, TakeOptions.self,
  ],
  rules: [
    PassRegistry.OrderingRule("mask-constant", requires: "merge-relu", because: "it is so here")
  ])

@Suite struct PassManagerTests {
  private static let text = """
    main (float[8,2] x) => (float[8,2] y) <float[2] w = {1, -2}> {
      a = Mul (x, w)
      b = Relu (a)
      c = Relu (b)
      d = Relu (c)
      y = Relu (d)
    }
    """

  private struct Outcome {
    let graph: Graph
    let context: PassContext
    let manager: PassManager
    let printed: [String]
  }

  @discardableResult
  private func run(
    _ pipeline: String, _ change: (inout PassManager.Options) -> Void = { _ in }
  ) throws -> Outcome {
    var options = PassManager.Options()
    change(&options)
    var graph = try parseModel(Self.text).graph
    var context = PassContext(original: graph)
    var manager = try PassManager(Pipeline(pipeline), registry: registry, options: options)
    let printed = Printed()
    manager.print = { name, graph in printed.add("\(name) \(graph.nodeCount)") }
    try manager.run(on: &graph, &context)
    return Outcome(graph: graph, context: context, manager: manager, printed: printed.all)
  }

  private final class Printed: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
  }

  private func failure(
    _ pipeline: String, _ change: (inout PassManager.Options) -> Void = { _ in }
  ) -> CompileError? {
    #expect(throws: CompileError.self) { try run(pipeline, change) }
  }

  @Test func fixpointRunsUntilNothingChanges() throws {
    #expect(try run("merge-relu").graph.nodeCount == 4)
    let outcome = try run("fixpoint(merge-relu)")
    #expect(outcome.graph.nodeCount == 2)
    #expect(outcome.manager.records.map(\.nodesBefore) == [5, 4, 3, 2])
    #expect(outcome.manager.records.map(\.nodesAfter) == [4, 3, 2, 2])
  }

  @Test func stopping() throws {
    #expect(try run("merge-relu,merge-relu") { $0.stopAfter = 1 }.manager.records.count == 1)
    let outcome = try run("fixpoint(merge-relu),take-options") { $0.stopAfter = 2 }
    #expect(outcome.graph.nodeCount == 3)
    #expect(outcome.context.warnings.isEmpty)
    #expect(try run("merge-relu") { $0.stopAfter = 0 }.graph.nodeCount == 5)
  }

  @Test func printing() throws {
    let pipeline = "merge-relu,take-options"
    #expect(
      try run(pipeline) { $0.printAfter = ["*"] }.printed == ["merge-relu 4", "take-options 4"])
    #expect(try run(pipeline) { $0.printAfter = ["take-options"] }.printed == ["take-options 4"])
    #expect(try run(pipeline).printed == [])
  }

  @Test func options() throws {
    func warning(_ options: String) throws -> String {
      try run("take-options\(options)").context.warnings[0].message
    }
    #expect(try warning("") == "0.25 -1 none []")
    #expect(
      try warning("{name=a int=-5 color=green double=0.5 name=\"b c\"}")
        == "0.5 -5 green [\"a\", \"b c\"]")
  }

  /// What an option prints it reads again.
  @Test func settings() throws {
    let settings =
      TakeOptions.double.settings(0.1) + TakeOptions.int.settings(nil)
      + TakeOptions.color.settings(.green) + TakeOptions.names.settings(["", "a\" }b"])
    let text = TakeOptions.text(settings)
    #expect(text == #"take-options{double=0.1 color=green name="" name="a\" }b"}"#)
    #expect(try run(text).context.warnings[0].message == #"0.1 -1 green ["", "a\" }b"]"#)
    #expect(TakeOptions.options.map(\.defaultText) == ["0.25", nil, nil, nil])
    #expect(TakeOptions.options.map(\.isRepeatable) == [false, false, false, true])
  }

  @Test(arguments: [
    ("double=2", "double=2 is not a number from 0.0 to 1.0"),
    ("double=nan", "double=nan is not a number from 0.0 to 1.0"),
    ("double=x", "double=x is not a number from 0.0 to 1.0"),
    ("int=6", "int=6 is not a whole number from -5 to 5"),
    ("int=1.5", "int=1.5 is not a whole number from -5 to 5"),
    ("color=blue", "color=blue is not one of red, green"),
    ("size=1", "there is no option 'size'"),
    ("int=1 int=2", "there is a second 'int'"),
    ("name=a name=b name=c", "at most two names"),
  ])
  func wrongOptions(options: String, message: String) {
    let error = failure("merge-relu,take-options{\(options)}")
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics[0].message == "take-options: \(message)")
    #expect(error?.diagnostics[0].location == .pipeline(column: 12))
  }

  @Test func unknownPass() {
    let error = failure("merge-relu,fixpoint(merge-rely)")
    #expect(error?.kind == .usage)
    #expect(
      error?.description == """
        pipeline column 21: error: there is no pass 'merge-rely'
        note: the passes are double-constant, mask-constant, break-order, merge-relu, take-options
        """)
  }

  @Test func orderingRules() throws {
    let error = failure("mask-constant,merge-relu")
    #expect(error?.kind == .usage)
    #expect(
      error?.description
        == "pipeline column 1: error: mask-constant must come after merge-relu: it is so here")
    try run("fixpoint(merge-relu),mask-constant")
  }

  @Test func checkEachCatchesAWrongPass() throws {
    let error = failure("double-constant") { $0.checkEach = true }
    #expect(error?.kind == .checkFailed)
    #expect(
      error?.diagnostics[0].message.hasPrefix("double-constant changed what the graph computes")
        == true)
    try run("double-constant")
    // Whoever says that the function changes may change it; whoever keeps it passes.
    try run("fixpoint(merge-relu),mask-constant,take-options") { $0.checkEach = true }
  }

  @Test func verifyEachCatchesABrokenGraph() throws {
    try run("fixpoint(merge-relu)") { $0.verifyEach = true }
    let error = #expect(throws: CompileError.self) {
      try run("break-order") { $0.verifyEach = true }
    }
    #expect(error?.kind == .internalError)
    #expect(error?.description.contains("the graph after break-order") == true)
  }
}

@Suite struct PassContextTests {
  @Test func analysesAreCachedByRevision() throws {
    var graph = try parseModel(
      """
      main (float[N,2] x) => (float[N,2] y) <float[2,3] w1 = {...}, float[3,2] w2 = {...}> {
        t = MatMul (x, w1)
        y = MatMul (t, w2)
      }
      """
    ).graph
    var context = PassContext(original: graph)
    #expect(try context.coupling(of: graph).groups[0].count == 3)
    graph.setTensor(of: graph.value(named: "w1")!, to: Tensor(zeros: .float32, shape: [2, 4]))
    graph.setTensor(of: graph.value(named: "w2")!, to: Tensor(zeros: .float32, shape: [4, 2]))
    #expect(try context.coupling(of: graph).groups[0].count == 4)
    let t = graph.value(named: "t")!
    #expect(try context.facts(of: graph)[t].shape?[1].fixedExtent == 4)
    #expect(try context.facts(of: context.original)[t].shape?[1].fixedExtent == 3)
  }
}
