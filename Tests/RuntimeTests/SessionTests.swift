import PrunecGraphIR
import PrunecONNXText
import PrunecRuntime
import PrunecSemantics
import PrunecTensors
import Testing

@Suite struct SessionTests {
  private func session(_ text: String, threadCount: Int = 1) throws -> Session {
    Session(try parseModel(text).graph, threadCount: threadCount)
  }

  /// Nodes that are one step together are named after the first, with its kernel.
  private func steps(_ session: Session, _ inputs: [Tensor]) throws -> [(
    kernel: String, nodes: Int
  )] {
    try session.measure(inputs, runs: 1, warmUps: 0, perStep: true).steps
      .map { ($0.kernel, $0.nodes.count) }
  }

  private static let block = """
    <ir_version: 8, opset_import: ["" : 17]>
    main (float[N, 3, 6, 6] x) => (float[N, 4, 6, 6] y)
    <float[4, 3, 3, 3] w = {...}, float[4, 4, 1, 1] v = {...}, float[4] s = {...},
     float[4] b = {...}, float[4] m = {...}, float[4] d = {...}> {
      c = Conv <pads = [1, 1, 1, 1]> (x, w)
      n = BatchNormalization (c, s, b, m, d)
      r = Relu (n)
      p = Conv (r, v)
      a = Add (p, r)
      y = Relu (a)
    }
    """

  @Test func stepsTakeInWhatFollows() throws {
    let model = try parseModel(Self.block)
    var graph = model.graph
    // A variance is positive.
    graph.setTensor(of: graph.value(named: "d")!, to: Tensor([1, 2, 3, 4], shape: [4]))
    let session = Session(graph, threadCount: 1)
    let input = try SeededInputs(seed: 3).tensors(for: graph)
    let kernels = try steps(session, input).filter { $0.kernel == "convolution" }
    #expect(kernels.map(\.nodes) == [3, 3])
    let expected = try ReferenceEvaluator(graph).run(input)
    #expect(Comparison(try session.run(input), expected: expected).maxRelative < 1e-5)
  }

  @Test func everyBatchHasAPlan() throws {
    let session = try session(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[N, 2] x) => (float[N, 2] y) { y = Neg (x) }
      """)
    for batch in [1, 3, 0, 1] {
      let x = Tensor((0..<(2 * batch)).map(Float.init), shape: [batch, 2])
      #expect(try session.run([x])[0].floats == x.floats.map { -$0 })
    }
  }

  @Test func concatenationsAreComputedInPlace() throws {
    let session = try session(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[1, 4] x) => (float[1, 8] y) {
        a = Relu (x)
        b = Exp (x)
        y = Concat <axis = 1> (a, b)
      }
      """)
    let x = Tensor([-1, 0, 1, 2], shape: [1, 4])
    #expect(try steps(session, [x]).map(\.kernel) == ["elementwise", "elementwise"])
    #expect(try session.run([x])[0].floats.prefix(4) == [0, 0, 1, 2])
  }

  @Test func halfPrecisionIsWidened() throws {
    let session = try session(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float16[2] x) => (float16[2] y) { y = Mul (x, x) }
      """)
    let x = Tensor(rounding: [1.5, -2], to: .float16, shape: [2])
    let y = try session.run(["x": x])["y"]
    #expect(y?.elementType == .float16)
    #expect(y?.floats == [2.25, 4])
  }

  @Test func subgraphsRun() throws {
    let session = try session(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (bool c, float[2] x) => (float[2] y) {
        n = Neg (x)
        y = If (c) <
          then_branch = t () => (float[2] a) { a = Identity (n) },
          else_branch = e () => (float[2] b) { b = Identity (x) }
        >
      }
      """)
    let x = Tensor([1, 2], shape: [2])
    for (flag, expected) in [(UInt8(1), [Float(-1), -2]), (0, [1, 2])] {
      let c = Tensor(.bool, shape: [], elements: [flag])
      #expect(try session.run([c, x])[0].floats == expected)
    }
  }

  @Test func weightsArePackedForWhatFollowsThem() throws {
    // The scale can be taken into the weights only where x has three axes.
    let session = try session(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[] x) => (float[] y)
      <float[2, 2] w = {1, 2, 3, 4}, float[1, 1, 2] s = {10, 100}> {
        p = MatMul (x, w)
        y = Mul (p, s)
      }
      """)
    let expected: [Float] = [40, 600]
    for shape in [[1, 1, 2], [1, 2], [1, 1, 1, 2], [1, 1, 2]] {
      #expect(try session.run([Tensor([1, 1] as [Float], shape: shape)])[0].floats == expected)
    }
  }

  @Test func moreShapesAreRunThanArePlannedAtATime() throws {
    let session = try session(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[n, 2] x) => (float[n, 1] y) <float[2, 1] w = {1, 10}> { y = MatMul (x, w) }
      """)
    for rows in Array(1...20) + [1, 20, 2] {
      let x = Tensor((0..<(2 * rows)).map { Float($0) }, shape: [rows, 2])
      let expected = (0..<rows).map { Float(22 * $0 + 10) }
      #expect(try session.run([x])[0].floats == expected)
    }
  }

  @Test func whatDoesNotFitIsSaid() throws {
    let session = try session(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[3, 2] x, int64[1] i) => (float[1, 2] y) { y = Gather (x, i) }
      """)
    let x = Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2])
    #expect(try session.run([x, Tensor([-1])])[0].floats == [5, 6])
    func message(_ body: () throws(CompileError) -> some Any) -> String {
      do throws(CompileError) {
        _ = try body()
        return ""
      } catch {
        return error.diagnostics[0].message
      }
    }
    #expect(
      message { () throws(CompileError) in try session.run([x, Tensor([3])]) }
        == "index 3 is out of range for an extent of 3")
    #expect(
      message { () throws(CompileError) in try session.run(["x": x]) }
        == "there is no tensor for input 'i'")
    #expect(
      message { () throws(CompileError) in
        try session.run([Tensor([1, 2], shape: [1, 2]), Tensor([0])])
      }
        == "input 'x' takes shape [3, 2], not [1, 2]")
    #expect(
      message { () throws(CompileError) in try session.run([Tensor([0]), Tensor([0])]) }
        == "input 'x' takes float, not int64")
  }
}
