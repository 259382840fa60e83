import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit
import PrunecSelection
import PrunecTestSupport
import Testing

@Suite struct ScoreChannelsTests {
  /// Three channels, made by the rows of `w` with the elements of `b`.
  private func layer(w: String, b: String) -> String {
    """
    main (float[1,2] x) => (float[1,1] y)
    <float[3,2] w = {\(w)}, float[3] b = {\(b)}, float[1,3] v = {1, 1, 1}>
    {
      h = Gemm <transB = 1> (x, w, b)
      y = Gemm <transB = 1> (h, v)
    }
    """
  }

  private func scores(
    _ options: String, _ text: String, of name: String = "h", axis: Int = 1,
    direction: SplitDirection = .inner
  ) throws -> [Float]? {
    try PassRun("score-channels{\(options)}", on: text, direction: direction)
      .scores(of: name, axis: axis)
  }

  /// Rows 1 2 1, 0 -2 0 and 3 0 -3: sums 4, 2 and 6, whose mean is 4.
  @Test func l1IsTheSumOfMagnitudes() throws {
    let text = layer(w: "1, 2, 0, -2, 3, 0", b: "1, 0, -3")
    #expect(try scores("criterion=l1", text) == [1, 0.5, 1.5])
  }

  /// Rows 3 0 4, 0 1 0 and 2 2 -1: norms 5, 1 and 3, whose mean is 3.
  @Test func l2IsTheEuclideanNorm() throws {
    let text = layer(w: "3, 0, 0, 1, 2, 2", b: "4, 0, -1")
    let expected: [Float] = [5 / 3, 1 / 3, 1]
    #expect(try scores("criterion=l2", text) == expected)
    #expect(try scores("", text) == expected)
  }

  /// Rows 0 0 0, 3 0 4 and 0 0 0: sums of distances 5, 10 and 5, whose mean is 20/3.
  @Test func fpgmIsTheSumOfDistances() throws {
    let text = layer(w: "0, 0, 3, 0, 0, 0", b: "0, 4, 0")
    #expect(try scores("criterion=fpgm", text) == [0.75, 1.5, 0.75])
  }

  /// Filters of several elements are rows all the same: sums 6, 15 and 9, whose mean is 10.
  @Test func filtersOfAConvolution() throws {
    let text = """
      main (float[1,1,4] x) => (float[1,1,3] y)
      <float[3,1,2] w = {1, -5, 7, 8, 0, 9}, float[1,3,1] v = {1, 1, 1}>
      {
        h = Conv (x, w)
        y = Conv (h, v)
      }
      """
    #expect(try scores("criterion=l1", text) == [0.6, 1.5, 0.9])
  }

  /// Weights that are computed from constants alone count as what they are: rows 8 4, 1 -3 and 2 0.
  @Test func dequantizedWeights() throws {
    let text = """
      main (float[1,2] x) => (float[1,1] y)
      <
        int8[2,3] q = {9, 3, 3, 5, -5, 1}, float[3] scale = {1, 0.5, 1}, int8[3] zero = {1, 1, 1},
        float[1,3] v = {1, 1, 1}
      >
      {
        d = DequantizeLinear <axis = 1> (q, scale, zero)
        w = Transpose (d)
        h = Gemm <transB = 1> (x, w)
        y = Gemm <transB = 1> (h, v)
      }
      """
    #expect(try scores("criterion=l1", text) == [12 / 6, 4 / 6, 2 / 6])
  }

  /// Integers count by their distance from the one that stands for zero: columns 3, 1 and 2.
  @Test func integersWithAZeroPoint() throws {
    let text = """
      main (uint8[1,2] x) => (int32[1,1] y)
      <
        uint8[2,3] w = {127, 127, 130, 130, 128, 128}, uint8 z = {128}, float s = {1},
        int8[3,1] v = {1, 1, 1}
      >
      {
        h = QLinearMatMul (x, s, z, w, s, z, s, z)
        y = MatMulInteger (h, v, z)
      }
      """
    #expect(try scores("criterion=l1", text) == [1.5, 0.5, 1])
  }

  /// Hidden unit j has a row of every gate in both weights of a recurrent layer, of both directions:
  /// sums 4, 8 for what X meets, mean 6, and 24, 8 for what the state meets, mean 16.
  @Test func hiddenUnits() throws {
    let text = """
      main (float[1,1,1] x) => (float[1,1,1] y)
      <
        float[1,6,1] w = {1, 2, 1, 2, -2, 4}, float[1,6,2] r = {4, 4, 1, 1, 4, 4, 1, 1, 4, 4, 2, -2},
        int64[1] axis = {1}, float[2,1] v = {1, 1}
      >
      {
        h = GRU <hidden_size = 2> (x, w, r)
        s = Squeeze (h, axis)
        y = MatMul (s, v)
      }
      """
    let expected: [Float] = [(4 / 6 + 24 / 16) / 2, (8 / 6 + 8 / 16) / 2]
    let found = try #require(try scores("criterion=l1", text, of: "s", axis: 2))
    for (score, value) in zip(found, expected) { #expect(abs(score - value) < 1e-6) }
  }

  @Test func bnScaleIsTheMagnitudeOfTheScale() throws {
    let text = """
      main (float[1,1,4] x) => (float[1,1,4] y)
      <
        float[3,1,1] w = {9, 9, 9}, float[1,3,1] v = {1, 1, 1}, float[3] scale = {1, -2, 3},
        float[3] zeros = {0, 0, 0}, float[3] ones = {1, 1, 1}
      >
      {
        h = Conv (x, w)
        n = BatchNormalization (h, scale, zeros, zeros, ones)
        y = Conv (n, v)
      }
      """
    #expect(try scores("criterion=bn-scale", text) == [0.5, 1, 1.5])
  }

  @Test func bnScaleNeedsANormalization() throws {
    let text = layer(w: "1, 2, 3, 4, 5, 6", b: "0, 0, 0")
    let error = compileError { _ = try scores("criterion=bn-scale", text) }
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics[0].message.contains("no batch normalization") == true)
  }

  /// Sums 4, 2, 6 become 1, 0.5, 1.5; sums 8, 24, 16 become 0.5, 1.5, 1.
  @Test func layersOfAGroupCountAlike() throws {
    let text = """
      main (float[1,1] x) => (float[1,1] y)
      <float[3,1] w = {4, 2, 6}, float[3,1] u = {8, 24, 16}, float[1,3] v = {1, 1, 1}>
      {
        a = Gemm <transB = 1> (x, w)
        b = Gemm <transB = 1> (x, u)
        h = Add (a, b)
        y = Gemm <transB = 1> (h, v)
      }
      """
    #expect(try scores("criterion=l1", text) == [0.75, 1, 1.25])
  }

  /// Two heads of two dimensions made by columns of sums 1, 2, 3 and 4.
  @Test func rowsOfAChannelCountTheirMean() throws {
    let text = """
      main (float[1,1] x) => (float[1,1] y)
      <
        float[1,4] w = {1, 2, 3, 4}, int64[3] split = {1, 2, 2}, int64[2] merge = {1, 4},
        float[4,1] v = {1, 1, 1, 1}
      >
      {
        h = MatMul (x, w)
        s = Reshape (h, split)
        r = Relu (s)
        m = Reshape (r, merge)
        y = MatMul (m, v)
      }
      """
    #expect(try scores("criterion=l1", text, of: "s", axis: 2) == [0.8, 1.2])
    #expect(
      try scores("criterion=l1", text, of: "s", axis: 1, direction: .outer) == [0.6, 1.4])
  }

  @Test func randomIsReproducible() throws {
    let text = layer(w: "1, 2, 3, 4, 5, 6", b: "0, 0, 0")
    let first = try #require(try scores("criterion=random seed=7", text))
    #expect(first.allSatisfy { (0..<1).contains($0) })
    #expect(Set(first).count == 3)
    #expect(try scores("criterion=random seed=7", text) == first)
    #expect(try scores("criterion=random seed=8", text) != first)
    #expect(try scores("criterion=random", text) == scores("criterion=random seed=0", text))
  }

  /// What no layer makes out of weights is as important as anything.
  @Test func channelsWithoutALayer() throws {
    let text = """
      main (int64[3] x) => (float[3,1] y)
      <float[5,2] table = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, float[2,1] v = {1, 1}>
      {
        h = Gather (table, x)
        y = MatMul (h, v)
      }
      """
    #expect(try scores("criterion=l2", text) == [1, 1])
  }

  /// A layer whose weight is not at hand is not measured.
  @Test(arguments: ["l1", "l2", "fpgm", "bn-scale"])
  func weightsWithoutData(_ criterion: String) throws {
    let text = """
      main (float[1,1,4] x) => (float[1,1,4] y)
      <
        float[2,1,1] w = ["location" : "w.bin"], float[1,2,1] v = {1, 1},
        float[2] scale = ["location" : "scale.bin"], float[2] zeros = {0, 0}, float[2] ones = {1, 1}
      >
      {
        h = Conv (x, w)
        n = BatchNormalization (h, scale, zeros, zeros, ones)
        y = Conv (n, v)
      }
      """
    if criterion == "bn-scale" {
      let error = compileError { _ = try scores("criterion=\(criterion)", text) }
      #expect(error?.kind == .usage)
    } else {
      #expect(try scores("criterion=\(criterion)", text) == [1, 1])
    }
  }

  @Test func theGraphStaysAsItIs() throws {
    let input = try PassRun("", on: layer(w: "1, 2, 3, 4, 5, 6", b: "0, 0, 0")).model
    let run = try PassRun("score-channels", on: input)
    #expect(run.graph.revision == input.graph.revision)
    #expect(run.context.scores?.criterion == "l2")
  }

  @Test func wrongOptions() {
    let names = allCriteria.map(\.name).joined(separator: ", ")
    let text = layer(w: "1, 2, 3, 4, 5, 6", b: "0, 0, 0")
    for (options, message) in [
      ("criterion=l3", "criterion=l3 is not one of \(names)"),
      ("seed=-1", "seed=-1 is not a whole number"),
      ("norm=l1", "there is no option 'norm'"),
    ] {
      let error = compileError { _ = try scores(options, text) }
      #expect(error?.kind == .usage)
      #expect(error?.description.contains(message) == true, "\(options)")
    }
  }
}
