/// Attention over `x [N, 5, 8]` with two heads of four dimensions, in ONNX's textual syntax.
struct AttentionText {
  /// From x to the values q, k and v `[N, 5, 8]`.
  var projections = """
    q0 = MatMul (x, wq) q = Add (q0, bq) k0 = MatMul (x, wk) k = Add (bk, k0) v = MatMul (x, wv)
    """
  /// From q, k and v to the heads `qh`, `vh [N, 2, 5, 4]` and `kh [N, 2, 4, 5]`.
  var heads = """
    q4 = Reshape (q, apart) qh = Transpose <perm = [0, 2, 1, 3]> (q4)
    k4 = Reshape (k, apart) kh = Transpose <perm = [0, 2, 3, 1]> (k4)
    v4 = Reshape (v, apart) vh = Transpose <perm = [0, 2, 1, 3]> (v4)
    """
  /// What is done to the scores.
  var scaling = "ss = Mul (s, eighth)"
  /// From the mixed values to the output.
  var end = """
    ot = Transpose <perm = [0, 2, 1, 3]> (o) flat = Reshape (ot, together) y = MatMul (flat, wo)
    """
  var outputs = "float[] y"

  var text: String {
    """
    <ir_version: 10, opset_import: ["" : 18]>
    main (float[N,5,8] x) => (\(outputs))
    <
      float[8,8] wq = {...}, float[8] bq = {...}, float[8,8] wk = {...}, float[8] bk = {...},
      float[8,8] wv = {...}, float[8,8] wo = {...}, float[8,24] wqkv = {...}, float[24] bqkv = {...},
      float[8,4] wk2 = {...}, float[8,4] wv2 = {...},
      float eighth = {0.125}, float[4] factors = {1, 2, 3, 4}, float[4] zeros = {0, 0, 0, 0},
      float[5,4] table = {...}, float[8,1,3] kernels = {...}, int64[4] apart = {0, 5, 2, 4}, int64[4] apart1 = {0, 5, 1, 4},
      int64[3] together = {0, 5, 8}, int64[5] apart3 = {0, 5, 3, 2, 4}, int64[3] thirds = {8, 8, 8},
      int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}, int64[2] both = {0, 0}
    >
    {
      \(projections) \(heads) s = MatMul (qh, kh) \(scaling) p = Softmax <axis = -1> (ss) o = MatMul (p, vh) \(end)
    }
    """
  }

  static let separate = AttentionText()
  /// One layer makes all three, taken apart by a Gather.
  static let gathered = AttentionText(
    projections: "a = MatMul (x, wqkv) qkv = Add (a, bqkv)",
    heads: """
      r = Reshape (qkv, apart3) t = Transpose <perm = [2, 0, 3, 1, 4]> (r)
      qh = Gather <axis = 0> (t, i0) kk = Gather <axis = 0> (t, i1) vh = Gather <axis = 0> (t, i2)
      kh = Transpose <perm = [0, 1, 3, 2]> (kk)
      """)
  /// One layer makes all three, taken apart by a Split.
  static let split = AttentionText(
    projections: "a = MatMul (x, wqkv) qkv = Add (a, bqkv) q, k, v = Split <axis = 2> (qkv, thirds)"
  )
  /// Both heads of queries meet the one of keys and values.
  static let shared = AttentionText(
    projections: "q0 = MatMul (x, wq) q = Add (q0, bq) k = MatMul (x, wk2) v = MatMul (x, wv2)",
    heads: """
      q4 = Reshape (q, apart) qh = Transpose <perm = [0, 2, 1, 3]> (q4)
      k4 = Reshape (k, apart1) k1 = Transpose <perm = [0, 2, 3, 1]> (k4) kh = Gather <axis = 1> (k1, both)
      v4 = Reshape (v, apart1) v1 = Transpose <perm = [0, 2, 1, 3]> (v4) vh = Gather <axis = 1> (v1, both)
      """)
}
