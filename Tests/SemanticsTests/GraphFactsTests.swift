import PrunecGraphIR
import PrunecONNXText
import PrunecOperators
import PrunecSemantics
import PrunecTensors
import Testing

extension GraphFacts {
  /// The facts of a model in ONNX's textual syntax.
  fileprivate init(of text: String) throws { self = try GraphFacts(of: parseModel(text).graph) }
}

/// The shape of a named value as text: `N 4 ? 8`; `none` where the rank is not known.
private func shape(of name: String, _ text: String) throws -> String {
  let graph = try parseModel(text).graph
  let facts = try GraphFacts(of: graph)
  guard let shape = facts[graph.value(named: name)!].shape else { return "none" }
  return shape.map { dimension in
    switch dimension.extent {
    case .fixed(let extent): "\(extent)"
    case .symbol(let symbol): symbol
    case .unknown: "?"
    }
  }.joined(separator: " ")
}

@Suite struct GraphFactsTests {
  /// Exporters write stale shapes: what is inferred is right, and the user hears of it.
  @Test func inferenceOverrulesDeclarations() throws {
    let text = """
      main (float[N,3] x) => (float[N,4] y)
      <float[3,4] w = {...}, float[N,5] t, float[N,4,1] u>
      {
        t = MatMul (x, w)
        u = Relu (t)
        y = Relu (u)
      }
      """
    #expect(try shape(of: "t", text) == "N 4")
    #expect(try shape(of: "u", text) == "N 4")
    #expect(
      try GraphFacts(of: text).warnings.map(\.description) == [
        "value 't': warning: axis 1 is declared with extent 5 but has 4",
        "value 'u': warning: is declared with 3 axes but has 2",
      ])
  }

  /// Results of graphs of nodes have the types that follow from the operands, whatever they declare.
  @Test func resultsOfGraphsOfNodes() throws {
    let text = """
      main (bool c, float[N,3] x, float[5,3] steps) => (float[A,B] a, float[C,D] b, float[E,F] l, float[G,H,I] s)
      <float[3,4] w = {...}, float[3,3] v = {...}, float[3,7] other = {...}, int64 trips = {6}, bool go = {1}>
      {
        a = If (c) <
          then_branch = t () => (float t1) { t1 = MatMul (x, w) },
          else_branch = e () => (float e1) { e0 = MatMul (x, w)  e1 = Relu (e0) }>
        b = If (c) <
          then_branch = t2 () => (float t3) { t3 = MatMul (x, w) },
          else_branch = e2 () => (float e3) { e3 = MatMul (x, other) }>
        l, lines = Loop (trips, go, x) <
          body = lb (int64 i, bool more, float h) => (bool again, float h1, float line) {
            again = Identity (more)
            h1 = MatMul (h, v)
            line = MatMul (h, w)
          }>
        s = Scan <num_scan_inputs = 1,
          body = sb (float row) => (float column) { column = Relu (row) }> (steps)
        u = Relu (lines)
      }
      """
    #expect(try shape(of: "a", text) == "N 4")
    #expect(try shape(of: "b", text) == "N D")
    #expect(try shape(of: "l", text) == "N 3")
    #expect(try shape(of: "u", text) == "? N 4")
    #expect(try shape(of: "s", text) == "5 3")
    // Six rounds of the loop, both branches of either If.
    let facts = try GraphFacts(of: text)
    let graph = try parseModel(text).graph
    #expect(Cost(of: graph, facts).macs == 12 + 12 + 12 + 21 + 6 * (9 + 12))
  }

  /// A side of a Merge that does not fit the inputs is left out; where neither fits, that is an error.
  @Test func branchesThatCannotBeTaken() throws {
    let text = """
      <ir_version: 8, opset_import: ["" : 17, "ai.prunec" : 1]>
      main (bool c, float[N, 4] x) => (float[A, B] y)
      <int64[2] six = {2, 6}, int64[2] ten = {2, 10}>
      {
        t = Reshape (x, six)
        p = Relu (t)
        u = Reshape (x, ten)
        y = ai.prunec.Merge (c, p, u)
      }
      """
    func shape(_ count: Int) throws -> [Int]? {
      var graph = try parseModel(text).graph
      graph.setType(
        of: graph.inputs[1], to: ValueType(.tensor(TensorType(.float32, fixed: [count, 4]))))
      return try GraphFacts(of: graph)[graph.outputs[0].value].fixedShape
    }
    #expect(try shape(3) == [2, 6])
    #expect(try shape(5) == [2, 10])
    #expect(throws: CompileError.self) { try shape(2) }
  }

  /// A carried value may be of another shape after each iteration of a loop.
  @Test func loopsThatGrow() throws {
    let text = """
      main (int64 trips, bool go, float[2,3] x) => (float[A,B] y)
      {
        h = Loop (trips, go, x) <
          body = b (int64 i, bool more, float h0) => (bool again, float h1) {
            again = Identity (more)
            h1 = Concat <axis = 0> (h0, h0)
          }>
        y = Relu (h)
      }
      """
    #expect(try shape(of: "y", text) == "A 3")
  }

  /// What inference leaves open, a declaration may tell; a named extent is not open, for the model was
  /// made for any, and the declaration is from before.
  @Test func declarationsFillGaps() throws {
    let text = """
      main (float[N,3] x) => (float[N,3] y)
      <float[2,3] r, float[7] u>
      {
        r = Relu (x)
        u = com.example.Odd (r)
        y = Relu (r)
      }
      """
    #expect(try shape(of: "r", text) == "N 3")
    #expect(try shape(of: "u", text) == "7")
    #expect(try shape(of: "y", text) == "N 3")
    #expect(
      try GraphFacts(of: text).warnings.map(\.description) == [
        "value 'r': warning: axis 0 is declared with extent 2 but has N"
      ])
  }

  @Test func nodesThatAreNotUnderstood() throws {
    let text = """
      <ir_version: 10, opset_import: ["" : 21, "com.example" : 1]>
      main (float[N,3] x) => (float[] y)
      {
        a = com.example.Odd (x)
        b = Relu <slope = 1> (x)
        c = not.imported.Foo (x)
        y = Add (a, b)
      }
      """
    let graph = try parseModel(text).graph
    let facts = try GraphFacts(of: graph)
    let reasons = graph.nodes.map { id -> String in
      if case .notUnderstood(let because) = facts.resolution(of: id) { return because }
      return "understood"
    }
    #expect(
      reasons == [
        "operator com.example.Odd is not known in opset 1",
        "attribute 'slope' of Relu is not known", "operator not.imported.Foo is not known",
        "understood",
      ])
    #expect(graph.nodes.map { facts.invocation(of: $0) != nil } == [false, false, false, true])
    #expect(try shape(of: "y", text) == "none")
  }

  @Test(arguments: [
    ("y = Relu (x, x)", "has 2 operands, expected 1"),
    ("y, z = Relu (x)", "has 2 results, expected 1"),
    ("y = Concat <axis = 1> ()", "has 0 operands, expected at least 1"),
    ("y = MatMul (x, \"\")", "operand 1 is left out"),
    ("y = LeakyRelu <alpha = \"1\"> (x)", "attribute 'alpha' is of the wrong kind"),
  ])
  func malformedNodes(node: String, message: String) throws {
    let text = "main (float[2,3] x) => (float[] y) { [n] \(node) }"
    let error = #expect(throws: CompileError.self) { try GraphFacts(of: text) }
    #expect(error?.kind == .malformed)
    #expect(error?.diagnostics[0].message == message)
    #expect(error?.diagnostics[0].location?.description.hasPrefix("node 'n'") == true)
  }
}

/// Shapes that are computed at run time, as exporters emit them.
@Suite struct ShapeArithmeticTests {
  /// PyTorch's `x.view(x.size(0), -1)` and its like.
  @Test func batchIntoATarget() throws {
    let text = """
      main (float[N,3,4,4] x) => (float[] y)
      <int64 zero = {0}, int64[1] axes = {0}, int64[1] rest = {48}, int64[1] free = {-1}>
      {
        s = Shape (x)
        n = Gather (s, zero)
        v = Unsqueeze (n, axes)
        t = Concat <axis = 0> (v, rest)
        y = Reshape (x, t)
        u = Concat <axis = 0> (v, free)
        z = Reshape (x, u)
      }
      """
    #expect(try shape(of: "y", text) == "N 48")
    #expect(try shape(of: "z", text) == "N 48")
  }

  @Test func arithmeticOnExtents() throws {
    let text = """
      main (float[N,6,4] x) => (float[] y)
      <int64[1] one = {1}, int64[1] two = {2}, int64[1] three = {3}, int64[1] zero = {0}, int64 i1 = {1},
       int64[1] axes = {0}>
      {
        s = Shape (x)
        n = Slice (s, zero, one)
        last = Slice (s, two, three)
        c = Gather (s, i1)
        half = Div (c, two)
        d = Mul (half, last)
        e = Cast <to = 7> (d)
        t = Concat <axis = 0> (n, two, e)
        y = Reshape (x, t)
        f = Shape <start = 1> (y)
        g = ReduceProd <keepdims = 1> (f, axes)
      }
      """
    #expect(try shape(of: "y", text) == "N 2 12")
    let graph = try parseModel(text).graph
    let facts = try GraphFacts(of: graph)
    #expect(facts[graph.value(named: "f")!].constantIntegers == [2, 12])
    #expect(facts[graph.value(named: "s")!].integers == [.symbol("N"), .fixed(6), .fixed(4)])
  }

  @Test func constantsInEveryForm() throws {
    let text = """
      main (float[N,8] x) => (float[] y)
      <int64[2] stored = {2, 4}>
      {
        batch = Constant <value_ints = [-1]> ()
        copy = Identity (stored)
        t = Concat <axis = 0> (batch, copy)
        y = Reshape (x, t)
        shape = Constant <value = int64[3] {4, -1, 2}> ()
        z = Reshape (x, shape)
      }
      """
    #expect(try shape(of: "y", text) == "N 2 4")
    #expect(try shape(of: "z", text) == "4 N 2")
  }
}
