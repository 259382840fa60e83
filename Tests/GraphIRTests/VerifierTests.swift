import PrunecTensors
import Testing

@testable import PrunecGraphIR

/// Each invariant that the verifier lists, broken behind the back of the doors that keep it.
@Suite struct VerifierTests {
  private var graph = Graph(name: "g", opsetImports: [OpsetImport("", 21)])
  private let x: ValueID
  private let w: ValueID
  private let relu: NodeID
  private let add: NodeID

  init() {
    x = graph.addInput(name: "x", type: .tensor(.float32, [.fixed(2)]))
    w = graph.addInitializer(name: "w", Tensor([1, 2], shape: [2]))
    relu = graph.insert(
      OperationName("Relu"), name: "relu", inputs: [x], outputs: [("y", nil)], at: .atEnd)
    add = graph.insert(
      OperationName("Add"), name: "add", inputs: [graph[relu].outputs[0], w],
      outputs: [("z", nil)], at: .atEnd)
    graph.addOutput(name: "z", graph[add].outputs[0]!)
  }

  private var violations: [String] {
    Verifier.violations(in: graph).map(\.description)
  }

  private func expect(_ violation: String, _ location: SourceLocation = #_sourceLocation) {
    let found = violations
    #expect(found.contains(violation), "\(found)", sourceLocation: location)
  }

  @Test func wellFormed() { #expect(violations == []) }

  @Test mutating func missingOrigins() {
    let before = graph
    let x = x
    let built = graph.build(before: relu) {
      [$0.add("Neg", [x]), $0.addConstant(Tensor([1]), "c")]
    }
    #expect(Verifier.violations(in: graph, rewriting: before) == [])
    graph.setOrigins(of: built[1], to: [])
    graph.insert(
      OperationName("Abs"), name: "abs", inputs: [x], outputs: [("a", nil)], at: .atEnd)
    let found = Verifier.violations(in: graph, rewriting: before).map(\.description)
    #expect(
      found == [
        "node 'abs' (Abs): error: the node stands for nothing that was there",
        "value 'y.c': error: the initializer stands for nothing that was there",
      ])
    #expect(violations == [])
  }

  @Test mutating func missingValues() {
    graph.valueSlots[graph[relu].outputs[0]!.index] = nil
    expect("node 'add' (Add): error: uses a value that does not exist")
    expect("node 'relu' (Relu): error: output 0 is not defined by this node")
  }

  @Test mutating func missingOutput() {
    graph.outputs[0].value = ValueID(99)
    expect("error: graph output 'z' is not defined")
  }

  @Test mutating func wrongUses() {
    graph.valueSlots[w.index]!.uses.append(.operand(relu, 5))
    expect("value 'w': error: recorded uses are not the actual ones")
    graph.valueSlots[w.index]!.uses = []
    expect("value 'w': error: recorded uses are not the actual ones")
    // Twice the same use is wrong too, though the set of uses is right.
    graph.valueSlots[w.index]!.uses = [.operand(add, 1), .operand(add, 1)]
    expect("value 'w': error: recorded uses are not the actual ones")
  }

  @Test mutating func wrongDefinition() {
    let y = graph[relu].outputs[0]!
    graph.valueSlots[y.index]!.definition = .output(of: relu, index: 1)
    expect("node 'relu' (Relu): error: output 0 is not defined by this node")
  }

  @Test mutating func wrongOrder() {
    graph.move(add, to: .before(relu))
    expect("node 'add' (Add): error: uses 'y' before it is defined")
  }

  @Test mutating func wrongSignature() {
    graph.valueSlots[x.index]!.definition = .input(1)
    expect("error: input 0 of the graph is not defined as that input")
    graph.valueSlots[x.index]!.definition = .input(0)
    graph.valueSlots[w.index]!.definition = .input(1)
    expect("error: listed initializer is not a constant")
    let captured = graph.addCapture(name: "outer", type: nil)
    graph.valueSlots[captured.index]!.definition = .captured(3)
    expect("error: captured value 0 is not defined as that capture")
  }

  @Test mutating func wrongNames() {
    graph.valueSlots[w.index]!.name = "x"
    expect("value 'x': error: two values have this name")
    graph.valueSlots[w.index]!.name = ""
    expect("error: a value has no name")
    graph.addOutput(name: "z", x)
    expect("value 'z': error: two graph outputs have this name")
  }

  @Test mutating func wrongInitializerType() {
    graph.valueSlots[w.index]!.type = .tensor(.float32, [.fixed(3)])
    expect("value 'w': error: initializer's type is not its tensor's")
  }

  @Test mutating func wrongSubgraphs() {
    var body = Graph(name: "body", opsetImports: graph.opsetImports)
    let captured = body.addCapture(name: "x", type: nil)
    body.addOutput(name: "o", captured)
    func insert(_ body: Graph, captures: [ValueID]) -> NodeID {
      graph.insert(
        OperationName("Loop"), name: "loop", inputs: [], captures: captures,
        outputs: [], attributes: [Attribute("body", .graph(body))], at: .atEnd)
    }
    let right = insert(body, captures: [x])
    #expect(violations == [])
    graph.erase(right)
    _ = insert(body, captures: [])
    expect("node 'loop' (Loop): error: a subgraph's captured values are not the node's")

    body.valueSlots[captured.index]!.name = ""
    _ = insert(body, captures: [x])
    expect("error: a value has no name")
  }

  @Test mutating func allAreListed() {
    graph.move(add, to: .before(relu))
    graph.valueSlots[w.index]!.name = ""
    #expect(violations.count == 2)
  }
}
