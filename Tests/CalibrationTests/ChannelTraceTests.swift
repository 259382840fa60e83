import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import Testing

@Suite struct ChannelTraceTests {
  /// The trace from x `[1, 5, 12]`, along its last axis, to the value called y.
  private func trace(_ nodes: String) throws -> ChannelTrace? {
    let graph = try parseModel(
      """
      <ir_version: 10, opset_import: ["" : 18]>
      main (float[1,5,12] x) => (float[] out)
      <float factor = {0.125}, float[4] factors = {1, 2, 3, 4}, float[12] long = {...}, float[4] bias = {1, 0, 0, 0},
       float[1] one = {1}, float[4] scale = {1, 2, 3, 4}, float[5,4] table = {...}, float[12,1,3] kernels = {...},
       int64[4] apart = {0, 5, 3, 4}, int64[2] twice = {1, 0}, int64 second = {1}, int64[3] parts = {4, 4, 4}>
      { \(nodes) out = Identity (y) }
      """
    ).graph
    let facts = try GraphFacts(of: graph)
    return ChannelTrace(
      from: try #require(graph.value(named: "x")), axis: 2,
      to: try #require(graph.value(named: "y")),
      graph, facts)
  }

  @Test func headsThroughReshapeAndTranspose() throws {
    let found = try #require(
      try trace("h = Reshape (x, apart) y = Transpose <perm = [0, 2, 1, 3]> (h)"))
    #expect(found.shape == [1, 3, 5, 4])
    #expect(
      found.lists(alongLast: true) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    #expect(found.lists(alongLast: false) == nil)
    #expect(found.nodes.count == 2)
  }

  @Test func transposedHeads() throws {
    let found = try #require(
      try trace("h = Reshape (x, apart) y = Transpose <perm = [0, 2, 3, 1]> (h)"))
    #expect(
      found.lists(alongLast: false) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    #expect(found.lists(alongLast: true) == nil)
  }

  @Test func oneOfThreeParts() throws {
    let found = try #require(try trace("a, y, c = Split <axis = 2> (x, parts)"))
    #expect(found.lists(alongLast: true) == [[4, 5, 6, 7]])
  }

  @Test func headsThatAreGathered() throws {
    let found = try #require(
      try trace(
        """
        h = Reshape (x, apart) t = Transpose <perm = [2, 0, 1, 3]> (h) y = Gather <axis = 0> (t, second)
        """))
    #expect(found.lists(alongLast: true) == [[4, 5, 6, 7]])
    let several = try #require(
      try trace(
        """
        h = Reshape (x, apart) t = Transpose <perm = [2, 0, 1, 3]> (h) y = Gather <axis = 0> (t, twice)
        """))
    #expect(several.lists(alongLast: true) == [[4, 5, 6, 7], [0, 1, 2, 3]])
  }

  @Test func aConstantFactor() throws {
    let found = try #require(
      try trace(
        "s = Mul (x, factor) h = Reshape (s, apart) y = Transpose <perm = [0, 2, 1, 3]> (h)"))
    #expect(found.lists(alongLast: true)?[1] == [4, 5, 6, 7])
    #expect(try trace("y = Div (x, factor)") != nil)
    #expect(try trace("y = Neg (x)") != nil)
  }

  @Test func nothingBetween() throws {
    let graph = try parseModel("main (float[2,3] x) => (float[] y) { y = Relu (x) }").graph
    let x = graph.inputs[0]
    let found = try #require(
      ChannelTrace(from: x, axis: 1, to: x, graph, try GraphFacts(of: graph)))
    #expect(found.channels == [0, 1, 2, 0, 1, 2])
    #expect(found.nodes == [])
  }

  /// Dimensions that have factors of their own cannot be turned into each other.
  @Test func aFactorForEachChannelIsNoHead() throws {
    let found = try trace("h = Reshape (x, apart) y = Mul (h, factors)")
    #expect(found == nil || found?.lists(alongLast: true) == nil)
  }

  @Test(arguments: [
    "h = Reshape (x, apart) y = LayerNormalization <axis = -1> (h, scale, bias)",
    "h = Reshape (x, apart) y = Add (h, bias)",
    "y = Softmax <axis = -1> (x)",
    "y = Exp (x)",
    "y = Mul (x, x)",
    "y = CumSum (x, second)",
  ])
  func whatComputesIsRefused(_ nodes: String) throws {
    #expect(try trace(nodes) == nil)
  }

  /// These hand on some numbers as they are.
  @Test(arguments: ["Relu", "Abs", "Floor", "Ceil", "Round", "LeakyRelu", "Elu", "Clip"])
  func activationsAreRefused(_ activation: String) throws {
    let bounds = activation == "Clip" ? ", low, high" : ""
    let constants =
      activation == "Clip"
      ? "low = Constant <value_float = -20.0> () high = Constant <value_float = 20.0> () " : ""
    #expect(try trace("\(constants)y = \(activation) (x\(bounds))") == nil)
  }

  /// Sums over positions, each channel by itself, are no arrangement.
  @Test func convolutionsAlongPositionsAreRefused() throws {
    #expect(
      try trace(
        """
        t = Transpose <perm = [0, 2, 1]> (x) c = Conv <group = 12, pads = [1, 1]> (t, kernels)
        y = Transpose <perm = [0, 2, 1]> (c)
        """) == nil)
  }

  /// Means of channels look like the channel in the middle.
  @Test func meansOfChannelsAreRefused() throws {
    #expect(try trace("y = AveragePool <kernel_shape = [3], pads = [1, 1]> (x)") == nil)
  }

  @Test func rotaryEmbeddingsAreRefused() throws {
    #expect(
      try trace(
        """
        h = Reshape (x, apart) t = Transpose <perm = [0, 2, 1, 3]> (h)
        c = Mul (t, table) a, b = Split <axis = 3, num_outputs = 2> (t) n = Neg (b)
        r = Concat <axis = 3> (n, a) s = Mul (r, table) y = Add (c, s)
        """) == nil)
  }

  @Test func whatDependsOnMoreIsRefused() throws {
    let graph = try parseModel(
      "main (float[2,3] x, float[2,3] z) => (float[] y) { y = Concat <axis = 1> (x, z) }"
    ).graph
    #expect(
      ChannelTrace(
        from: graph.inputs[0], axis: 1, to: graph.outputs[0].value, graph,
        try GraphFacts(of: graph)) == nil)
  }
}
