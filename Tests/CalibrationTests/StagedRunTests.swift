import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct StagedRunTests {
  /// Extents that the graph computes of its inputs', a value that is used late, one that is given out early, and twice.
  private static let text = """
    main (float[N,3,H,H] x, float[N,M] z) => (float[] y, float[] early, float[] again, float[] z2)
    <float[4,3,1,1] w = {...}, float[4,4,3,3] v = {...}, float[4,2] u = {...}, int64[1] zero = {0}, int64[1] four = {4},
     int64[1] minus = {-1}, int64[1] one = {1}>
    {
      early = Conv (x, w)
      again = Identity (early)
      s = Shape (early)
      n = Gather (s, zero)
      h = Conv <pads = [1,1,1,1]> (early, v)
      r = Relu (h)
      target = Concat <axis = 0> (n, four, minus)
      flat = Reshape (r, target)
      t = Transpose <perm = [0, 2, 1]> (flat)
      p = MatMul (t, u)
      sum = ReduceSum (p, one)
      z2 = Add (z, z)
      n2 = Cast <to = 1> (n)
      y = Add (sum, n2)
    }
    """

  private func graph() throws -> Graph { try parseModel(Self.text).graph }

  /// Batches of two shapes, in turns.
  private func batches(_ graph: Graph) throws -> HeldBatches {
    HeldBatches(
      try (0..<4).map { index in
        let (n, h) = index % 2 == 0 ? (2, 5) : (3, 4)
        return try SeededInputs(seed: UInt64(index)).tensors(
          for: graph, shapes: ["x": [n, 3, h, h], "z": [n, 2]])
      })
  }

  private func outputs(_ run: StagedRun, _ batch: Int) -> [Tensor] {
    run.graph.outputs.compactMap { run.tensor($0.value, ofBatch: batch) }
  }

  @Test func nodeAfterNodeIsTheWhole() throws {
    let graph = try graph()
    let batches = try batches(graph)
    let run = try StagedRun(graph, batches)
    #expect(run.batchCount == 4)
    for node in graph.nodes {
      try run.advance(before: node)
      try run.advance(past: node)
    }
    try run.finish()
    for batch in 0..<4 {
      let expected = try ReferenceEvaluator(graph).run(batches.tensors(ofBatch: batch))
      #expect(Comparison(outputs(run, batch), expected: expected).maxRelative < 1e-5)
    }
  }

  @Test func inOnePiece() throws {
    let graph = try graph()
    let batches = try batches(graph)
    let run = try StagedRun(graph, batches)
    try run.finish()
    for batch in 0..<4 {
      let expected = try ReferenceEvaluator(graph).run(batches.tensors(ofBatch: batch))
      #expect(Comparison(outputs(run, batch), expected: expected).maxRelative < 1e-5)
    }
  }

  /// From any node on, the rest of the graph goes on from what is there.
  @Test func theRestOfAGraphGoesOn() throws {
    let graph = try graph()
    let batches = try batches(graph)
    let run = try StagedRun(graph, batches)
    let order = Array(graph.nodes)
    for (place, node) in order.enumerated() {
      try run.advance(before: node)
      for last in Set([place, (place + order.count) / 2, order.count - 1]) {
        let remainder = run.remainder(behind: order[last])
        // The second time the remainder is ready.
        for _ in 0..<2 {
          let found = try run.outputs(of: graph, nodes: Array(order[place...last]), then: remainder)
          for batch in 0..<4 {
            let expected = try ReferenceEvaluator(graph).run(batches.tensors(ofBatch: batch))
            #expect(Comparison(found[batch], expected: expected).maxRelative < 1e-5)
          }
        }
      }
    }
  }

  @Test func weightsThatNoNodeHasReadCanChange() throws {
    var graph = try graph()
    let batches = try batches(graph)
    let run = try StagedRun(graph, batches)
    let weight = try #require(graph.value(named: "u"))
    let layer = try #require(graph.nodes.first { graph[$0].operation.type == "MatMul" })
    try run.advance(before: layer)
    let tensor = Tensor([1, 2, 3, 4, 5, 6, 7, 8], shape: [4, 2])
    run.setTensor(of: weight, to: tensor)
    try run.finish()
    graph.setTensor(of: weight, to: tensor)
    for batch in 0..<4 {
      let expected = try ReferenceEvaluator(graph).run(batches.tensors(ofBatch: batch))
      #expect(Comparison(outputs(run, batch), expected: expected).maxRelative < 1e-5)
    }
  }

  @Test func whatIsNoLongerReadIsDropped() throws {
    let graph = try graph()
    let run = try StagedRun(graph, try batches(graph))
    let x = try #require(graph.value(named: "x"))
    #expect(run.tensor(x, ofBatch: 0) != nil)
    try run.advance(past: Array(graph.nodes)[0])
    #expect(run.tensor(x, ofBatch: 0) == nil)
  }

  @Test func noSampleIsAnError() throws {
    let graph = try graph()
    #expect(compileError { _ = try StagedRun(graph, HeldBatches([])) }?.kind == .usage)
  }

  @Test func aBatchThatDoesNotFitIsAnError() throws {
    let graph = try graph()
    let tensors = [
      Tensor(zeros: .float32, shape: [2, 5, 4, 4]), Tensor(zeros: .float32, shape: [2, 2]),
    ]
    #expect(compileError { _ = try StagedRun(graph, HeldBatches([tensors])) }?.kind == .malformed)
  }

  /// Values that a subgraph captures are read as operands are.
  @Test func capturedValuesAreThere() throws {
    let graph = try parseModel(
      """
      <ir_version: 10, opset_import: ["" : 17]>
      main (float[2,3] x, bool condition) => (float[] y) <float[3,3] w = {...}>
      {
        a = MatMul (x, w)
        b = Relu (a)
        i = If <
          then_branch = yes () => (float[] u) { u = Neg (a) },
          else_branch = no () => (float[] v) { v = Exp (a) }
        > (condition)
        y = Add (b, i)
      }
      """
    ).graph
    let batches = try HeldBatches(seeded: graph)
    let run = try StagedRun(graph, batches)
    for node in graph.nodes { try run.advance(past: node) }
    for batch in 0..<batches.count {
      let expected = try ReferenceEvaluator(graph).run(batches.tensors(ofBatch: batch))
      #expect(Comparison(outputs(run, batch), expected: expected).maxRelative < 1e-5)
    }
  }
}
