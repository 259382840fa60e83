import Foundation
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct GraphReductionTests {
  /// Whether a Sigmoid reads what a Conv computes.
  private func hasGate(_ model: Model) -> Bool {
    let graph = model.graph
    return graph.nodes.contains { node in
      guard graph[node].operation.type == "Sigmoid", let operand = graph[node].inputs[0],
        let before = graph[operand].definingNode
      else { return false }
      return graph[before].operation.type == "Conv"
    }
  }

  @Test func nothingCanBeTakenAway() throws {
    let models = (0..<200).map { RandomGraph.model(seed: $0) }.filter(hasGate)
    #expect(models.count > 3)
    for model in models.prefix(6) {
      let small = reduced(model, while: hasGate)
      let graph = small.graph
      #expect(graph.nodes.map { graph[$0].operation.type } == ["Conv", "Sigmoid"])
      #expect(graph.outputs.count == 1)
      #expect(graph.inputs.count + graph.initializers.count == 2)
      // What the shapes of the operands ask for stays.
      let attributes = graph.nodes.flatMap { graph[$0].attributes.map(\.name) }
      #expect(Set(attributes).isSubset(of: ["group", "pads"]))
      #expect(Verifier.violations(in: graph) == [])
      #expect(try GraphFacts(of: graph).warnings.isEmpty)
      #expect(differences(between: small, and: reduced(model, while: hasGate)) == [])
    }
  }

  private let network = """
    main (float[N,3] x, float[N,5] z) => (float[N,8] a, float[N,8] b, float[N,5] c)
    <float[3,8] w1 = {...}, float[8] b1 = {...}, float[8,8] w2 = {...}>
    {
      t = Gemm <alpha = 0.5> (x, w1, b1)
      r = Relu (t)
      m = MatMul (r, w2)
      a = Tanh (m)
      b = Sigmoid (m)
      c = Exp (z)
    }
    """

  private func reducedNetwork(to operations: Set<String>) throws -> String {
    let text = reducedText(of: try parseModel(network)) { model in
      operations.isSubset(of: model.graph.nodes.map { model.graph[$0].operation.type })
    }
    return String(text[try #require(text.range(of: "main")).lowerBound...])
  }

  /// Outputs that are not needed go, a value before them becomes the output, and its operand the input.
  @Test func ends() throws {
    #expect(
      try reducedNetwork(to: ["Relu"]) == """
        main (float[N,8] t) => (float[N,8] r) {
          r = Relu (t)
        }

        """)
  }

  /// Of two operations the nodes between them go, with what only those use.
  @Test func middles() throws {
    #expect(
      try reducedNetwork(to: ["Gemm", "Tanh"]) == """
        main (float[N,3] x) => (float[N,8] a)
        <
          float[3,8] w1 = {...}
        >
        {
          t = Gemm (x, w1)
          a = Tanh (t)
        }

        """)
  }

  /// What does not fail comes back as it is.
  @Test func nothingToReduce() throws {
    let model = try parseModel(network)
    #expect(differences(between: model, and: reduced(model) { _ in false }) == [])
  }

  /// Large constants are listed where the failure depends on their elements.
  @Test func elements() throws {
    let text = """
      main (float[N,5] x) => (float[N,5] y)
      <float[5,5] other = {...}>
      {
        w = Constant <value_ints = [1, 2]> ()
        t = MatMul (x, other)
        y = Neg (t)
      }
      """
    var model = try parseModel(text)
    let id = try #require(model.graph.value(named: "other"))
    let ones = Tensor([Float](repeating: 1, count: 25), shape: [5, 5])
    model.graph.setTensor(of: id, to: ones)
    func constants(_ model: Model) -> [Tensor] {
      model.graph.initializers.compactMap { model.graph[$0].constant }
    }
    let any = reducedText(of: model) { constants($0).count == 1 }
    #expect(any.contains("{...}"))
    let exact = reducedText(of: model) { constants($0) == [ones] }
    #expect(!exact.contains("{...}"))
    #expect(constants(try parseModel(exact)) == [ones])
  }

  /// A report names the property that is broken, the seed, and the smallest graph that breaks it.
  @Test func report() throws {
    let model = try parseModel(network)
    func check(_ model: Model) throws {
      let operations = model.graph.nodes.map { model.graph[$0].operation.type }
      if operations.contains("Exp") { throw BrokenProperty("free of Exp", "\(operations.count)") }
      if operations.contains("Relu") { throw BrokenProperty("free of Relu", "") }
    }
    let report = try #require(failureReport(of: model, seed: 3, in: check))
    #expect(report.hasPrefix("seed 3: not free of Exp: 6\n"))
    #expect(report.contains("# seed: 3\n"))
    #expect(report.contains("c = Exp (z)"))
    #expect(!report.contains("Relu"))
    #expect(failureReport(of: model, seed: 3) { _ in } == nil)
  }
}
