import PrunecCoupling
import PrunecTestSupport
import Testing

/// Attention: an axis of the projections is taken apart into heads and their dimensions, and either
/// may be cut, in all projections of a block alike.
@Suite struct AttentionTests {
  /// Two heads of three dimensions.
  private static let separate = """
    main (float[N,5,4] x) => (float[N,5,4] y)
    <float[4,6] wq = {...}, float[4,6] wk = {...}, float[4,6] wv = {...}, float[6] bq = {...},
     int64[4] apart = {0, 5, 2, 3}, int64[3] together = {0, 5, 6}, float[6,4] wo = {...}>
    {
      [q] q = MatMul (x, wq)
      [qb] qb = Add (q, bq)
      [k] k = MatMul (x, wk)
      [v] v = MatMul (x, wv)
      q4 = Reshape (qb, apart)
      k4 = Reshape (k, apart)
      v4 = Reshape (v, apart)
      qt = Transpose <perm = [0, 2, 1, 3]> (q4)
      kt = Transpose <perm = [0, 2, 3, 1]> (k4)
      vt = Transpose <perm = [0, 2, 1, 3]> (v4)
      s = MatMul (qt, kt)
      p = Softmax <axis = -1> (s)
      o = MatMul (p, vt)
      ot = Transpose <perm = [0, 2, 1, 3]> (o)
      flat = Reshape (ot, together)
      [out] y = MatMul (flat, wo)
    }
    """

  /// The same dimension of every head: queries go with keys, values with the output.
  @Test func dimensionsOfHeads() throws {
    let model = try CoupledModel(Self.separate)
    #expect(
      model.cuttable == [
        "q, 3 channels: wq[1]x2 wk[1]x2 bq[0]x2 q[2]x2 qb[2]x2 k[2]x2 q4[3] k4[3] qt[3] kt[2]",
        "v, 3 channels: wv[1]x2 wo[0]x2 v[2]x2 v4[3] vt[3] o[3] ot[3] flat[2]x2",
      ])
    #expect(model.indices(ofChannel: 1, of: "q", on: "wk", axis: 1) == [1, 4])
    #expect(model.indices(ofChannel: 1, of: "v", on: "wo", axis: 0) == [1, 4])
  }

  /// Whole heads: everything that belongs to one.
  @Test func heads() throws {
    let model = try CoupledModel(Self.separate, direction: .outer)
    #expect(
      model.cuttable == [
        "q, 2 channels: wq[1]x3 wk[1]x3 wv[1]x3 bq[0]x3 wo[0]x3 q[2]x3 qb[2]x3 k[2]x3 v[2]x3 "
          + "q4[2] k4[2] v4[2] qt[1] kt[1] vt[1] s[1] p[1] o[1] ot[2] flat[2]x3"
      ])
    #expect(model.indices(ofChannel: 1, of: "q", on: "wo", axis: 0) == [3, 4, 5])
  }

  /// One projection for all three, as exporters fuse them; `parts` takes them from `stacked`.
  private func fused(_ parts: String) -> String {
    """
    main (float[N,5,4] x) => (float[N,5,4] y)
    <float[4,18] w = {...}, int64[5] apart = {0, 5, 3, 2, 3}, int64[3] together = {0, 5, 6},
     float[6,4] wo = {...}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}, int64[3] ones = {1, 1, 1},
     int64[1] first = {0}>
    {
      [qkv] qkv = MatMul (x, w)
      split = Reshape (qkv, apart)
      stacked = Transpose <perm = [2, 0, 3, 1, 4]> (split)
      \(parts)
      kt = Transpose <perm = [0, 1, 3, 2]> (k)
      s = MatMul (q, kt)
      p = Softmax <axis = -1> (s)
      o = MatMul (p, v)
      ot = Transpose <perm = [0, 2, 1, 3]> (o)
      flat = Reshape (ot, together)
      [out] y = MatMul (flat, wo)
    }
    """
  }

  private static let gathers = """
    q = Gather <axis = 0> (stacked, i0)
    k = Gather <axis = 0> (stacked, i1)
    v = Gather <axis = 0> (stacked, i2)
    """

  private static let splits = """
    q1, k1, v1 = Split <axis = 0> (stacked, ones)
    q = Squeeze (q1, first)
    k = Squeeze (k1, first)
    v = Squeeze (v1, first)
    """

  /// The axis of queries, keys and values is one of three in the projection, so a dimension goes
  /// from all three of them.
  @Test(arguments: [gathers, splits])
  func fusedProjection(parts: String) throws {
    let inner = try CoupledModel(fused(parts))
    #expect(inner.cuttable.count == 1)
    #expect(inner.indices(ofChannel: 1, of: "qkv", on: "w", axis: 1) == [1, 4, 7, 10, 13, 16])
    #expect(inner.indices(ofChannel: 1, of: "qkv", on: "wo", axis: 0) == [1, 4])
    let outer = try CoupledModel(fused(parts), direction: .outer)
    #expect(outer.cuttable.count == 1)
    #expect(
      outer.indices(ofChannel: 1, of: "qkv", on: "w", axis: 1) == [3, 4, 5, 9, 10, 11, 15, 16, 17])
    #expect(outer.indices(ofChannel: 1, of: "qkv", on: "wo", axis: 0) == [3, 4, 5])
  }

  /// Where the heads cannot be cut, their dimensions are, whatever was preferred.
  @Test func onlyOneFactorIsFree() throws {
    let text = """
      main (float[N,5,4] x, float[2,1] scale) => (float[N,5,4] y)
      <float[4,6] w = {...}, int64[4] apart = {0, 5, 2, 3}, int64[3] together = {0, 5, 6},
       float[6,4] wo = {...}>
      {
        [in] t = MatMul (x, w)
        a = Reshape (t, apart)
        b = Mul (a, scale)
        c = Reshape (b, together)
        [out] y = MatMul (c, wo)
      }
      """
    for direction in SplitDirection.allCases {
      #expect(
        try CoupledModel(text, direction: direction).cuttable == [
          "in, 3 channels: w[1]x2 wo[0]x2 t[2]x2 a[3] b[3] c[2]x2"
        ])
    }
  }
}
