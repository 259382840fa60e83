import PrunecCoupling
import PrunecTestSupport
import Testing

@Suite struct GroupKindTests {
  /// The kinds of the groups that can be cut, by name.
  private func kinds(
    _ text: String, direction: SplitDirection = .inner
  ) throws -> [String: String] {
    let groups = try CoupledModel(text, direction: direction).coupling.groups
    return Dictionary(
      uniqueKeysWithValues: groups.filter { $0.pin == nil }.map { ($0.name, $0.kind.rawValue) })
  }

  private static let attention = """
    main (int64[1,5] ids) => (float[1,5,4] y)
    <
      float[9,6] table = {...}, float[6,8] wq = {...}, float[6,8] wk = {...}, float[6,8] wv = {...},
      float[8,6] wo = {...}, float[6,12] w1 = {...}, float[12,6] w2 = {...}, float[6,4] head = {...},
      int64[4] apart = {1, 5, 2, 4}, int64[3] together = {1, 5, 8}
    >
    {
      x = Gather (table, ids)
      [q] q = MatMul (x, wq)
      [k] k = MatMul (x, wk)
      [v] v = MatMul (x, wv)
      q4 = Reshape (q, apart)
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
      [out] a = MatMul (flat, wo)
      x1 = Add (x, a)
      [up] h = MatMul (x1, w1)
      r = Relu (h)
      [down] d = MatMul (r, w2)
      x2 = Add (x1, d)
      [head] y = MatMul (x2, head)
    }
    """

  @Test func transformer() throws {
    #expect(
      try kinds(Self.attention) == [
        "q": "head-dim", "v": "head-dim", "out": "residual", "up": "ffn",
      ])
    #expect(
      try kinds(Self.attention, direction: .outer) == [
        "q": "head", "out": "residual", "up": "ffn",
      ])
  }

  /// A gated layer with a GELU that is written out adds values of one layer, which is no stream.
  @Test func polynomialsAreNoStreams() throws {
    let text = """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,8] w = {...}, float[3,8] v = {...}, float[8,2] u = {...}, float c = {0.04}, float half = {0.5}>
      {
        [up] h = MatMul (x, w)
        [gate] g = MatMul (x, v)
        h2 = Mul (h, h)
        h3 = Mul (h2, h)
        s = Mul (h3, c)
        inner = Add (h, s)
        t = Tanh (inner)
        a = Mul (h, t)
        b = Add (h, a)
        m = Mul (b, g)
        [down] y = MatMul (m, u)
      }
      """
    #expect(try kinds(text) == ["up": "ffn"])
  }

  @Test func convolutions() throws {
    let text = """
      main (float[1,3,8,8] x) => (float[1,2,8,8] y)
      <
        float[4,3,1,1] w1 = {...}, float[6,4,1,1] w2 = {...}, float[4,6,1,1] w3 = {...},
        float[5,4,1,1] w4 = {...}, float[2,5,1,1] w5 = {...}
      >
      {
        [stem] a = Conv (x, w1)
        [expand] b = Conv (a, w2)
        [project] c = Conv (b, w3)
        d = Add (a, c)
        [last] e = Conv (d, w4)
        g = Sigmoid (e)
        h = Mul (e, g)
        i = Add (h, e)
        [head] y = Conv (i, w5)
      }
      """
    // What is added to itself only is no residual.
    #expect(try kinds(text) == ["stem": "residual", "expand": "conv", "last": "conv"])
  }

  /// A stream has more than one maker: what is mixed along the positions and added has the channels of before.
  @Test func mixedPositionsMakeNoStream() throws {
    let text = """
      main (float[1,5,3] x) => (float[1,5,2] y)
      <float[3,8] w = {...}, float[5,5] mix = {...}, float[8,2] v = {...}>
      {
        [first] h = MatMul (x, w)
        ht = Transpose <perm = [0, 2, 1]> (h)
        mt = MatMul (ht, mix)
        m = Transpose <perm = [0, 2, 1]> (mt)
        s = Add (h, m)
        [last] y = MatMul (s, v)
      }
      """
    #expect(try kinds(text) == ["first": "ffn"])
  }

  @Test func gates() throws {
    let text = """
      main (float[1,8] x) => (float[1,2] y)
      <float[8,6] w1 = {...}, float[8,6] w2 = {...}, float[6,2] w3 = {...}>
      {
        [gate] a = MatMul (x, w1)
        [up] b = MatMul (x, w2)
        s = Sigmoid (a)
        h = Mul (s, b)
        [down] y = MatMul (h, w3)
      }
      """
    #expect(try kinds(text) == ["gate": "ffn"])
  }

  @Test func recurrentAndEmbedding() throws {
    let text = """
      main (int64[7,1] ids) => (float[7,1,1,2] y)
      <
        float[9,6] table = {...}, float[1,16,6] w = {...}, float[1,16,4] r = {...},
        float[4,2] head = {...}
      >
      {
        x = Gather (table, ids)
        [lstm] h = LSTM <hidden_size = 4> (x, w, r)
        [head] y = MatMul (h, head)
      }
      """
    #expect(try kinds(text) == ["table": "embedding", "lstm": "recurrent"])
  }
}
