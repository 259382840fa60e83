import PrunecGraphIR
import PrunecONNXText
import PrunecTestSupport
import Testing

@Suite struct SubgraphTests {
  private let nestedText = """
    main (bool c, float x) => (float y) {
      a = Relu (x)
      b = Relu (a)
      y = If (c) <
        then_branch = then () => (float z) <float w = {1.0}> { z = Add (b, w) },
        else_branch = else () => (float z) {
          inner = If (c) <
            then_branch = deep () => (float q) { q = Add (a, x) },
            else_branch = deeper () => (float q) { q = Identity (b) }>
          z = Relu (inner)
        }>
    }
    """

  @Test func capturesAreSharedByTheSubgraphsOfANode() throws {
    let graph = try parseModel(nestedText).graph
    #expect(Verifier.violations(in: graph) == [])
    let node = graph[Array(graph.nodes)[2]]
    // In the order of first use, whichever subgraph uses them.
    #expect(node.captures.map { graph[$0].name } == ["b", "c", "a", "x"])
    let subgraphs = node.attributes.flatMap(\.graphs)
    for subgraph in subgraphs {
      #expect(subgraph.captures.map { subgraph[$0].name } == ["b", "c", "a", "x"])
    }
    let inner = subgraphs[1][Array(subgraphs[1].nodes)[0]]
    #expect(inner.captures.map { subgraphs[1][$0].name } == ["a", "x", "b"])
    #expect(graph.isTaken(name: "inner") && graph.isTaken(name: "q"))
  }

  @Test func roundTrip() throws {
    let model = try parseModel(nestedText)
    let again = try parseModel(printModel(model))
    #expect(differences(between: model, and: again) == [])
  }

  @Test func siblingsAndTheNodeItselfMayUseTheSameNames() throws {
    let model = try parseModel(
      """
      g (bool c, float x) => (float y) {
        y = If (c) <then_branch = t () => (float y) { y = Relu (x) },
                    else_branch = e () => (float y) { y = Neg (x) }>
      }
      """)
    #expect(Verifier.violations(in: model.graph) == [])
    #expect(differences(between: model, and: try parseModel(printModel(model))) == [])
  }

  @Test func capturedValuesFollowRenaming() throws {
    // The value behind output 'y' is printed as 'y', inside the subgraph too.
    var graph = try parseModel(
      """
      g (bool c, float x) => (float y, float v) {
        t = Relu (x)
        y = Identity (t)
        v = If (c) <then_branch = a () => (float i) { i = Neg (t) },
                    else_branch = b () => (float j) { j = Identity (t) }>
      }
      """
    ).graph
    graph.replaceAllUses(of: graph.value(named: "y")!, with: graph.value(named: "t")!)
    graph.erase(Array(graph.nodes)[1])
    #expect(
      printGraph(graph) == """
        g (bool c, float x) => (float y, float v) {
          y = Relu (x)
          v = If (c) <then_branch = a () => (float i) {
            i = Neg (y)
          }, else_branch = b () => (float j) {
            j = Identity (y)
          }>
        }

        """)
  }

  @Test func innerNamesThatWouldHideOuterOnesAreRenamed() throws {
    var graph = try parseModel(
      """
      g (bool c, float x) => (float y) {
        t = Relu (x)
        y = If (c) <then_branch = a () => (float i) { k = Neg (t) i = Neg (k) },
                    else_branch = b () => (float j) { j = Identity (t) }>
      }
      """
    ).graph
    let relu = Array(graph.nodes)[0]
    // Nothing keeps a pass from giving an outer value the name of an inner one.
    let inserted = graph.insert(
      OperationName("Abs"), name: "", inputs: [graph.value(named: "t")!],
      outputs: [(name: "k_1", type: nil)], at: .after(relu))
    var hidden = graph
    hidden.replaceAllUses(of: graph.value(named: "y")!, with: graph[inserted].outputs[0]!)
    for graph in [graph, hidden] {
      let text = printGraph(graph)
      #expect(printGraph(try parseModel(text).graph) == text)
    }
  }

  @Test func outputsThatAreInputsOrSharedPrintAsIdentity() throws {
    var graph = try parseModel(
      """
      g (float x) => (float x, float a, float b, float w) <float w = {1.0}> {
        t = Relu (x)
        a = Neg (t)
        b = Abs (t)
      }
      """
    ).graph
    for name in ["a", "b"] {
      graph.replaceAllUses(of: graph.value(named: name)!, with: graph.value(named: "t")!)
    }
    for node in Array(graph.nodes).dropFirst() { graph.erase(node) }
    #expect(
      printGraph(graph) == """
        g (float x) => (float x, float a, float b, float w)
        <
          float w = {1.0}
        >
        {
          a = Relu (x)
          b = Identity (a)
        }

        """)
    graph.replaceAllUses(of: graph.value(named: "t")!, with: graph.value(named: "x")!)
    graph.erase(Array(graph.nodes)[0])
    #expect(
      printGraph(graph) == """
        g (float x) => (float x, float a, float b, float w)
        <
          float w = {1.0}
        >
        {
          a = Identity (x)
          b = Identity (x)
        }

        """)
  }
}
