import PrunecCoupling
import PrunecGraphIR
import PrunecTestSupport
import Testing

/// The groups of small graphs, each about one way in which channels belong together.
@Suite struct GroupTests {
  private func expect(
    _ text: String, _ groups: [String], _ location: SourceLocation = #_sourceLocation
  ) throws {
    #expect(try CoupledModel(text).cuttable == groups, sourceLocation: location)
  }

  @Test func chain() throws {
    try expect(
      """
      main (float[N,3,8,8] x) => (float[N,2,8,8] y)
      <float[4,3,1,1] w1 = {...}, float[4] b1 = {...}, float[2,4,1,1] w2 = {...}>
      {
        [conv1] t = Conv (x, w1, b1)
        [relu] r = Relu (t)
        [conv2] y = Conv (r, w2)
      }
      """, ["conv1, 4 channels: w1[0] b1[0] w2[1] t[1] r[1]"])
  }

  @Test func residual() throws {
    try expect(
      """
      main (float[N,3,8,8] x) => (float[N,2] y)
      <float[4,3,1,1] w1 = {...}, float[4,4,3,3] w2 = {...}, float[4,2] w3 = {...}>
      {
        [conv1] a = Conv (x, w1)
        [conv2] b = Conv <pads = [1, 1, 1, 1]> (a, w2)
        [add] c = Add (a, b)
        [pool] p = GlobalAveragePool (c)
        [flat] f = Flatten (p)
        [fc] y = MatMul (f, w3)
      }
      """,
      ["conv1, 4 channels: w1[0] w2[0] w2[1] w3[0] a[1] b[1] c[1] p[1] f[1]"])
  }

  /// DenseNet: every layer's channels are a section of what all later layers read.
  @Test func concatenation() throws {
    let model = try CoupledModel(
      """
      main (float[N,3,8,8] x) => (float[N,2,8,8] y)
      <float[4,3,1,1] w1 = {...}, float[2,4,1,1] w2 = {...}, float[3,6,1,1] w3 = {...},
       float[2,9,1,1] w4 = {...}>
      {
        [conv1] a = Conv (x, w1)
        [conv2] b = Conv (a, w2)
        [cat1] ab = Concat <axis = 1> (a, b)
        [conv3] c = Conv (ab, w3)
        [cat2] abc = Concat <axis = 1> (ab, c)
        [conv4] y = Conv (abc, w4)
      }
      """)
    #expect(
      model.cuttable == [
        "conv1, 4 channels: w1[0] w2[1] w3[1] w4[1] a[1] ab[1] abc[1]",
        "conv2, 2 channels: w2[0] w3[1] w4[1] b[1] ab[1] abc[1]",
        "conv3, 3 channels: w3[0] w4[1] c[1] abc[1]",
      ])
    #expect(model.indices(ofChannel: 1, of: "conv2", on: "w4", axis: 1) == [5])
    #expect(model.indices(ofChannel: 2, of: "conv3", on: "abc", axis: 1) == [8])
  }

  @Test func splitAndSlice() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y, float[N,2] z)
      <float[3,6] w1 = {...}, float[4,2] w2 = {...}, float[2,2] w3 = {...}, int64[2] sizes = {4, 2},
       int64[1] start = {1}, int64[1] end = {5}, int64[1] axis = {1},
       float[4,2] w4 = {...}>
      {
        [fc1] t = MatMul (x, w1)
        [split] a, b = Split <axis = 1> (t, sizes)
        [fc2] y = MatMul (a, w2)
        [fc3] u = MatMul (b, w3)
        [slice] s = Slice (t, start, end, axis)
        [fc4] v = MatMul (s, w4)
        [add] z = Add (u, v)
      }
      """)
    // Each part is of channels that the slice reads too, and of others.
    #expect(
      model.cuttable == [
        "fc1, 1 channels: w1[1] w2[0] t[1] a[1]",
        "fc1, 3 channels: w1[1] w2[0] w4[0] t[1] a[1] s[1]",
        "fc1, 1 channels: w1[1] w3[0] w4[0] t[1] b[1] s[1]",
        "fc1, 1 channels: w1[1] w3[0] t[1] b[1]",
      ])
  }

  @Test func flattenAndMergingReshape() throws {
    let model = try CoupledModel(
      """
      main (float[N,3,2,2] x) => (float[N,2] y, float[N,2] z)
      <float[4,3,1,1] w1 = {...}, float[16,2] w2 = {...}, int64[2] target = {0, -1},
       float[16,2] w3 = {...}>
      {
        [conv] t = Conv (x, w1)
        [flat] f = Flatten (t)
        [fc1] y = Gemm (f, w2)
        [shape] r = Reshape (t, target)
        [fc2] z = Gemm (r, w3)
      }
      """)
    #expect(model.cuttable == ["conv, 4 channels: w1[0] w2[0]x4 w3[0]x4 t[1] f[1]x4 r[1]x4"])
    #expect(model.indices(ofChannel: 2, of: "conv", on: "w2", axis: 0) == [8, 9, 10, 11])
  }

  private static let depthwise = """
    main (float[N,3,8,8] x) => (float[N,2,8,8] y)
    <float[4,3,1,1] w1 = {...}, float[FILTERS,1,3,3] wd = {...}, float[2,FILTERS,1,1] w2 = {...}>
    {
      [conv1] a = Conv (x, w1)
      [depthwise] b = Conv <group = 4, pads = [1, 1, 1, 1]> (a, wd)
      [conv2] y = Conv (b, w2)
    }
    """

  @Test func depthwiseConvolution() throws {
    try expect(
      Self.depthwise.replacing("FILTERS", with: "4"),
      ["conv1, 4 channels: w1[0] wd[0] w2[1] a[1] b[1]"])
  }

  /// With several filters a channel, the channels go and all their filters with them, in whatever
  /// direction: another layer makes them.
  @Test(arguments: SplitDirection.allCases)
  func depthwiseConvolutionWithMultiplier(direction: SplitDirection) throws {
    let text = Self.depthwise.replacing("FILTERS", with: "8")
    #expect(
      try CoupledModel(text, direction: direction).cuttable == [
        "conv1, 4 channels: w1[0] wd[0]x2 w2[1]x2 a[1] b[1]x2"
      ])
  }

  private static let grouped = """
    main (float[N,3,8,8] x) => (float[N,2,8,8] y)
    <float[6,3,1,1] w1 = {...}, float[8,3,1,1] wg = {...}, float[2,8,1,1] w2 = {...}>
    {
      [conv1] a = Conv (x, w1)
      [grouped] b = Conv <group = 2> (a, wg)
      [conv2] y = Conv (b, w2)
    }
    """

  /// Along the inner factor the same positions of every group go, before and after on their own.
  @Test func groupedConvolutionInward() throws {
    let model = try CoupledModel(Self.grouped)
    #expect(
      model.cuttable == [
        "conv1, 3 channels: w1[0]x2 wg[1] a[1]x2",
        "grouped, 4 channels: wg[0]x2 w2[1]x2 b[1]x2",
      ])
    #expect(model.indices(ofChannel: 1, of: "conv1", on: "a", axis: 1) == [1, 4])
    #expect(model.indices(ofChannel: 1, of: "grouped", on: "w2", axis: 1) == [1, 5])
  }

  /// Along the outer one whole groups go, and what they read with them.
  @Test func groupedConvolutionOutward() throws {
    let model = try CoupledModel(Self.grouped, direction: .outer)
    #expect(
      model.cuttable == ["conv1, 2 channels: w1[0]x3 wg[0]x4 w2[1]x4 a[1]x3 b[1]x4"])
    #expect(model.indices(ofChannel: 1, of: "conv1", on: "b", axis: 1) == [4, 5, 6, 7])
  }

  /// What is taken apart along a factor that goes with its channels stays so, though another factor
  /// could go as well: here the patches that a normalization gathers together with the channels.
  @Test(arguments: SplitDirection.allCases)
  func channelsTogetherWithPatches(direction: SplitDirection) throws {
    let model = try CoupledModel(
      """
      main (float[1,3,2,2] x) => (float[1,2,2,2] y)
      <
        float[4,3,1,1] w1 = {...}, float[2,4,1,1] w2 = {...}, float[1] scale = {...},
        float[1] bias = {...}, int64[3] rows = {1, 8, 2}, int64[4] apart = {1, 4, 2, 2},
        int64[3] flat = {1, 1, -1}
      >
      {
        [conv1] a = Conv (x, w1)
        [unfold] b = Reshape (a, rows)
        [part] c = Reshape (b, apart)
        [gather] d = Reshape (c, flat)
        [norm] e = InstanceNormalization (d, scale, bias)
        [back] f = Reshape (e, apart)
        [conv2] y = Conv (f, w2)
      }
      """, direction: direction)
    #expect(
      model.cuttable == [
        "conv1, 4 channels: w1[0] w2[1] a[1] b[1]x2 c[1] d[2]x4 e[2]x4 f[1]"
      ])
  }

  @Test func sharedWeights() throws {
    try expect(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w1 = {...}, float[4,4] shared = {...}, float[4,2] w2 = {...}>
      {
        [fc1] a = MatMul (x, w1)
        [fc2] b = MatMul (a, shared)
        [relu] r = Relu (b)
        [fc3] c = MatMul (r, shared)
        [fc4] y = MatMul (c, w2)
      }
      """,
      ["fc1, 4 channels: w1[1] shared[0] shared[1] w2[0] a[1] b[1] r[1] c[1]"])
  }

  @Test func weightsBehindIdentities() throws {
    try expect(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w1 = {...}, float[4,4] shared = {...}, float[4,2] w2 = {...}>
      {
        [fc1] a = MatMul (x, w1)
        [copy] w = Identity (shared)
        [fc2] b = MatMul (a, shared)
        [fc3] c = MatMul (b, w)
        [fc4] y = MatMul (c, w2)
      }
      """,
      ["fc1, 4 channels: w1[1] shared[0] shared[1] w2[0] a[1] w[0] w[1] b[1] c[1]"])
  }

  @Test func batchNormalization() throws {
    try expect(
      """
      main (float[N,3,8,8] x) => (float[N,2,8,8] y)
      <float[4,3,1,1] w1 = {...}, float[4] s = {...}, float[4] b = {...}, float[4] m = {...},
       float[4] v = {...}, float[2,4,1,1] w2 = {...}>
      {
        [conv1] t = Conv (x, w1)
        [bn] n = BatchNormalization (t, s, b, m, v)
        [conv2] y = Conv (n, w2)
      }
      """, ["conv1, 4 channels: w1[0] s[0] b[0] m[0] v[0] w2[1] t[1] n[1]"])
  }

  /// The gate's own channels are free; those it multiplies belong to what it multiplies.
  @Test func squeezeAndExcitation() throws {
    try expect(
      """
      main (float[N,3,8,8] x) => (float[N,2,8,8] y)
      <float[4,3,1,1] w1 = {...}, float[2,4,1,1] down = {...}, float[4,2,1,1] up = {...},
       float[2,4,1,1] w2 = {...}>
      {
        [conv1] t = Conv (x, w1)
        [squeeze] p = GlobalAveragePool (t)
        [down] d = Conv (p, down)
        [relu] r = Relu (d)
        [up] u = Conv (r, up)
        [gate] g = Sigmoid (u)
        [scale] s = Mul (t, g)
        [conv2] y = Conv (s, w2)
      }
      """,
      [
        "conv1, 4 channels: w1[0] down[1] up[0] w2[1] t[1] p[1] u[1] g[1] s[1]",
        "down, 2 channels: down[0] up[1] d[1] r[1]",
      ])
  }

  @Test func layerNormalization() throws {
    try expect(
      """
      main (float[N,5,3] x) => (float[N,5,2] y)
      <float[3,4] w1 = {...}, float[4] s = {...}, float[4] b = {...}, float[4,2] w2 = {...}>
      {
        [fc1] t = MatMul (x, w1)
        [norm] n = LayerNormalization <axis = -1> (t, s, b)
        [fc2] y = MatMul (n, w2)
      }
      """, ["fc1, 4 channels: w1[1] s[0] b[0] w2[0] t[2] n[2]"])
  }

  /// A constant of extent one along the channels is stretched over them and asks for nothing.
  @Test func broadcastingOfExtentOne() throws {
    try expect(
      """
      main (float[N,3,8,8] x) => (float[N,2,8,8] y)
      <float[4,3,1,1] w1 = {...}, float[1,1,8,8] map = {...}, float one = {1.0},
       float[4,1,1] each = {...}, float[2,4,1,1] w2 = {...}>
      {
        [conv1] t = Conv (x, w1)
        [mul1] a = Mul (t, map)
        [mul2] b = Mul (one, a)
        [mul3] c = Mul (b, each)
        [conv2] y = Conv (c, w2)
      }
      """, ["conv1, 4 channels: w1[0] each[0] w2[1] t[1] a[1] b[1] c[1]"])
  }

  @Test func channelShuffle() throws {
    let model = try CoupledModel(
      """
      main (float[N,3,8,8] x) => (float[N,2,8,8] y)
      <float[6,3,1,1] w1 = {...}, int64[5] apart = {0, 2, 3, 8, 8}, int64[4] together = {0, 6, 8, 8},
       float[2,6,1,1] w2 = {...}>
      {
        [conv1] t = Conv (x, w1)
        [apart] a = Reshape (t, apart)
        [swap] s = Transpose <perm = [0, 2, 1, 3, 4]> (a)
        [together] b = Reshape (s, together)
        [conv2] y = Conv (b, w2)
      }
      """)
    #expect(model.cuttable == ["conv1, 3 channels: w1[0]x2 w2[1]x2 t[1]x2 a[2] s[1] b[1]x2"])
    #expect(model.indices(ofChannel: 1, of: "conv1", on: "t", axis: 1) == [1, 4])
    #expect(model.indices(ofChannel: 1, of: "conv1", on: "b", axis: 1) == [2, 3])
  }

  @Test func axesOfExtentZeroAndOne() throws {
    try expect(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,1] w1 = {...}, float[1,2] w2 = {...}, float[3,0] w3 = {}, float[0,2] w4 = {}>
      {
        [fc1] a = MatMul (x, w1)
        [fc2] b = MatMul (a, w2)
        [fc3] c = MatMul (x, w3)
        [fc4] d = MatMul (c, w4)
        [add] y = Add (b, d)
      }
      """, [])
  }

  /// Two axes of one value can be equal.
  @Test func sumWithItsOwnTransposed() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w = {...}, float[4,2] v = {...}, int64[1] first = {1}, int64[1] second = {2}>
      {
        [fc] a = MatMul (x, w)
        [unsqueeze1] b = Unsqueeze (a, second)
        [unsqueeze2] c = Unsqueeze (a, first)
        [mul] d = Mul (b, c)
        [swap] e = Transpose <perm = [0, 2, 1]> (d)
        [add] f = Add (d, e)
        [sum] g = ReduceSum <keepdims = 0> (f, first)
        [head] y = MatMul (g, v)
      }
      """)
    #expect(
      model.cuttable == [
        "fc, 4 channels: w[1] v[0] a[1] b[1] c[2] d[1] d[2] e[1] e[2] f[1] f[2] g[1]"
      ])
    #expect(model.indices(ofChannel: 2, of: "fc", on: "f", axis: 2) == [2])
  }

  /// However deep the network, axes that are equal throughout are one to the analysis.
  @Test func equalAxesShareTheirElements() throws {
    let relus = (1...100).map { "[relu\($0)] t\($0) = Relu (t\($0 - 1))" }.joined(separator: "\n")
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w = {...}, float[4,2] v = {...}, float[2,4] u = {...}>
      {
        [fc] t0 = MatMul (x, w)
        \(relus)
        [head] y = MatMul (t100, v)
      }
      """)
    func strand(_ value: String, _ axis: Int) throws -> Int? {
      model.coupling.strand(of: Axis(try #require(model.graph.value(named: value)), axis))
    }
    let channels = try #require(try strand("w", 1))
    for value in ["t0", "t50", "t100"] { #expect(try strand(value, 1) == channels) }
    #expect(try strand("v", 0) == channels)
    #expect(try strand("v", 1) != channels)
    #expect(try strand("u", 1) != channels)
    #expect(try strand("t0", 0) == nil, "the batch has no fixed extent")
  }
}
