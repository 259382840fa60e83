import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

@Suite struct ReferenceEvaluatorTests {
  private func run(_ text: String, _ inputs: [Tensor]) throws -> [Tensor] {
    try ReferenceEvaluator(parseModel(text).graph).run(inputs)
  }

  @Test func runsInOrder() throws {
    let results = try run(
      """
      main (float[2] x, float[2] unused) => (float[2] y, float[2] x2, float[2] w2)
      <float[2] w = {1, 2}>
      {
        a = Add (x, w)
        b = Mul (a, a)
        dead = Neg (b)
        y = Sub (b, x)
        x2 = Identity (x)
        w2 = Identity (w)
      }
      """, [Tensor([3, 4], shape: [2]), Tensor([0, 0], shape: [2])])
    #expect(results.map(\.floats) == [[13, 32], [3, 4], [1, 2]])
  }

  /// A value used twice by one node, and by the signature too, is still there when it is needed.
  @Test func valuesLiveUntilTheirLastUse() throws {
    let results = try run(
      """
      main (float[1] x) => (float[1] a, float[1] c)
      {
        a = Add (x, x)
        b = Mul (a, a)
        c = Add (a, b)
      }
      """, [Tensor([3], shape: [1])])
    #expect(results.map(\.floats) == [[6], [42]])
  }

  @Test func whatCannotBeEvaluated() throws {
    let text = "main (float[1] x) => (float[1] y) { [odd] y = com.example.Odd (x) }"
    let error = #expect(throws: CompileError.self) { try run(text, [Tensor([1], shape: [1])]) }
    #expect(error?.kind == .unsupported)
    #expect(
      error?.description == "node 'odd' (com.example.Odd): error: cannot be evaluated")
  }

  @Test func constantsWithoutData() throws {
    var graph = try parseModel(
      "main (float[1] x) => (float[1] y) <float[1] w = {1}> { y = Add (x, w) }"
    ).graph
    graph.setTensor(of: graph.value(named: "w")!, to: Tensor(absent: .float32, shape: [1]))
    let error = #expect(throws: CompileError.self) {
      try ReferenceEvaluator(graph).run([Tensor([1], shape: [1])])
    }
    #expect(error?.kind == .unsupported)
    #expect(error?.diagnostics[0].location == .value("w"))
  }

  @Test func inputsThatDoNotFit() throws {
    let text = """
      main (float[a,b] x) => (float[a,2] y) <float[3,2] w = {...}> { [fc] y = MatMul (x, w) }
      """
    #expect(try run(text, [Tensor(zeros: .float32, shape: [5, 3])])[0].shape == [5, 2])
    let error = #expect(throws: CompileError.self) {
      try run(text, [Tensor(zeros: .float32, shape: [5, 4])])
    }
    #expect(error?.kind == .malformed)
  }
}

@Suite struct ComparisonTests {
  private func compare(_ actual: [Float], _ expected: [Float]) -> [Double] {
    let comparison = Comparison(
      [Tensor(actual, shape: [actual.count])], expected: [Tensor(expected, shape: [expected.count])]
    )
    return [comparison.maxAbsolute, comparison.maxRelative]
  }

  @Test func errorIsRelativeToTheLargestElement() {
    #expect(compare([1, 2, 4], [1, 2, 4]) == [0, 0])
    #expect(compare([1, 2.5, 4], [1, 2, 4]) == [0.5, 0.125])
    #expect(compare([-3], [-4]) == [1, 0.25])
    #expect(compare([0], [0]) == [0, 0])
    #expect(compare([0.5], [0]) == [0.5, .infinity])
    #expect(compare([], []) == [0, 0])
  }

  @Test func notANumber() {
    #expect(compare([.nan, 1], [.nan, 1]) == [0, 0])
    #expect(compare([.nan, 1], [0, 1])[1] == .infinity)
    #expect(compare([0, 1], [.nan, 1])[1] == .infinity)
  }

  @Test func infinities() {
    #expect(compare([.infinity, 1], [.infinity, 1]) == [0, 0])
    #expect(compare([-.infinity, 1], [.infinity, 1])[1] == .infinity)
    #expect(compare([.infinity, 1], [2, 1])[1] == .infinity)
    #expect(compare([2, 1], [.infinity, 1])[1] == .infinity)
    // An infinite element says nothing of the scale of the others.
    #expect(compare([.infinity, 1.5], [.infinity, 1]) == [0.5, 0.5])
  }

  @Test func differentKinds() {
    let float = Tensor([1, 2], shape: [2])
    for other in [[], [float, float], [Tensor([1, 2])], [Tensor([1, 2], shape: [1, 2])]] {
      #expect(Comparison(other, expected: [float]).maxRelative == .infinity)
    }
    #expect(Comparison([Tensor([1, 2])], expected: [Tensor([1, 2])]).maxRelative == 0)
    #expect(Comparison([Tensor([1, 2])], expected: [Tensor([1, 3])]).maxRelative == .infinity)
  }

  /// More than half of the elements have to be finite, of all outputs together.
  @Test func conclusiveOutputs() {
    func isConclusive(_ outputs: [[Float]]) -> Bool {
      Comparison.isConclusive(outputs.map { Tensor($0, shape: [$0.count]) })
    }
    #expect(isConclusive([]))
    #expect(isConclusive([[1, .nan, 2]]))
    #expect(isConclusive([[.infinity], [1, 2]]))
    #expect(!isConclusive([[1, .nan]]))
    #expect(!isConclusive([[1], [.nan, -.infinity]]))
  }

  @Test func unions() {
    var worst = Comparison([Tensor([1.5], shape: [1])], expected: [Tensor([1], shape: [1])])
    worst.formUnion(Comparison([Tensor([10], shape: [1])], expected: [Tensor([8], shape: [1])]))
    #expect([worst.maxAbsolute, worst.maxRelative] == [2, 0.5])
  }
}

@Suite struct SeededInputTests {
  private let text = """
    main (float[N,3] x, int64[2] i, bool[2] b, float16[N] h, uint8[h,w] u) => (float[N,3] y)
    { y = Relu (x) }
    """

  @Test func reproducible() throws {
    let graph = try parseModel(text).graph
    let inputs = try SeededInputs(seed: 5).tensors(for: graph)
    #expect(try inputs == SeededInputs(seed: 5).tensors(for: graph))
    #expect(try inputs[0] != SeededInputs(seed: 6).tensors(for: graph)[0])
    #expect(inputs.map(\.shape) == [[2, 3], [2], [2], [2], [2, 2]])
    #expect(inputs.map(\.elementType) == [.float32, .int64, .bool, .float16, .uint8])
    #expect(inputs[0].floats.allSatisfy { abs($0) < 6 } && Set(inputs[0].floats).count == 6)
  }

  @Test func freeExtents() throws {
    let inputs = try SeededInputs(seed: 5, freeExtent: 7).tensors(for: parseModel(text).graph)
    // A free first axis is the batch, of which two are enough.
    #expect(inputs.map(\.shape) == [[2, 3], [2], [2], [2], [2, 7]])
  }

  @Test func sizeThatIsTooLargeIsTheReason() throws {
    let graph = try parseModel("main (float[65536,65536] x) => () { }").graph
    let error = #expect(throws: CompileError.self) { try SeededInputs().tensors(for: graph) }
    #expect(error?.diagnostics[0].message.contains("more than 16777216 elements") == true)
  }

  @Test(arguments: ["float[] x", "string[1] x", "seq(float[1]) x", "float[65536,65536] x"])
  func inputsThatCannotBeMadeUp(input: String) throws {
    let graph = try parseModel("main (\(input)) => () { }").graph
    let error = #expect(throws: CompileError.self) { try SeededInputs().tensors(for: graph) }
    #expect(error?.kind == .unsupported)
    #expect(error?.diagnostics[0].location == .value("x"))
  }
}

@Suite struct HomogeneityTests {
  @Test(arguments: [
    ("Relu (x)", true), ("LeakyRelu (x)", true), ("MaxPool <kernel_shape = [2, 2]> (x)", true),
    ("Sigmoid (x)", false), ("Clip (x, low, high)", false), ("Add (x, low)", false),
    ("com.example.Odd (x)", false),
  ])
  func factorsPassThrough(node: String, expected: Bool) throws {
    let graph = try parseModel(
      """
      main (float[N,2,4,4] x) => (float[] y) <float low = {-1}, float high = {6}> { y = \(node) }
      """
    ).graph
    let id = graph.nodes.first { _ in true }!
    #expect(Homogeneity.holds(for: id, graph, try GraphFacts(of: graph)) == expected)
  }
}
