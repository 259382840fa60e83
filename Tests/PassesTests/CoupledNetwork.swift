import Testing

/// A small network whose channels are coupled in one of the ways that exporters write.
struct CoupledNetwork: CustomTestStringConvertible, Sendable {
  let name: String
  let text: String

  var testDescription: String { name }

  private init(_ name: String, _ text: String) {
    self.name = name
    self.text = text
  }

  static let all = [
    CoupledNetwork(
      "chain",
      """
      main (float[2,3,6,6] x) => (float[2,5] y)
      <
        float[8,3,3,3] w1 = {...}, float[8] b1 = {...}, float[12,8,3,3] w2 = {...},
        float[5,48] w3 = {...}, float[5] b3 = {...}
      >
      {
        c1 = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
        r1 = Relu (c1)
        p1 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r1)
        c2 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (p1, w2)
        r2 = LeakyRelu (c2)
        f = Flatten (r2)
        y = Gemm <transB = 1> (f, w3, b3)
      }
      """),
    CoupledNetwork(
      "residual sums",
      """
      main (float[1,3,4,4] x) => (float[1,5,1,1] y)
      <
        float[8,3,1,1] w0 = {...}, float[6,8,3,3] w1 = {...}, float[8,6,3,3] w2 = {...},
        float[8,8,1,1] shortcut = {...}, float[5,8,1,1] w3 = {...},
        float[8] scale = {...}, float[8] shift = {...}, float[8] mean = {...},
        float[8] variance = {1, 2, 3, 4, 5, 6, 7, 8}
      >
      {
        s0 = Conv (x, w0)
        c1 = Conv <pads = [1, 1, 1, 1]> (s0, w1)
        r1 = Relu (c1)
        c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2)
        n2 = BatchNormalization (c2, scale, shift, mean, variance)
        s1 = Add (s0, n2)
        t = Relu (s1)
        u = Conv (t, shortcut)
        s2 = Add (u, t)
        p = GlobalAveragePool (s2)
        y = Conv (p, w3)
      }
      """),
    CoupledNetwork(
      "dense concatenations",
      """
      main (float[1,3,4,4] x) => (float[1,5,4,4] y)
      <
        float[4,3,1,1] w0 = {...}, float[6,4,3,3] w1 = {...}, float[8,10,3,3] w2 = {...},
        float[5,18,1,1] w3 = {...},
        float[10] scale = {...}, float[10] shift = {...}, float[10] mean = {...},
        float[10] variance = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
      >
      {
        c0 = Conv (x, w0)
        c1 = Conv <pads = [1, 1, 1, 1]> (c0, w1)
        d1 = Concat <axis = 1> (c0, c1)
        n1 = BatchNormalization (d1, scale, shift, mean, variance)
        r1 = Relu (n1)
        c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2)
        d2 = Concat <axis = 1> (d1, c2)
        y = Conv (d2, w3)
      }
      """),
    CoupledNetwork(
      "gated linear unit",
      """
      main (float[2,4] x) => (float[2,3] y)
      <float[4,16] w = {...}, float[16] b = {...}, float[8,3] v = {...}>
      {
        h = MatMul (x, w)
        s = Add (h, b)
        a, g = Split <axis = -1, num_outputs = 2> (s)
        q = Sigmoid (g)
        m = Mul (a, q)
        y = MatMul (m, v)
      }
      """),
    CoupledNetwork(
      "slices and a selection",
      """
      main (float[2,4] x) => (float[2,3] y)
      <
        float[4,12] w = {...}, int64[1] zero = {0}, int64[1] four = {4}, int64[1] end = {-1},
        int64[1] axis = {1}, int64[4] picked = {11, 2, 5, -5}, float[4,3] u = {...},
        float[7,3] v = {...}, float[4,3] t = {...}
      >
      {
        h = MatMul (x, w)
        a = Slice (h, zero, four, axis)
        b = Slice (h, four, end, axis)
        c = Gather <axis = 1> (h, picked)
        ya = MatMul (a, u)
        yb = MatMul (b, v)
        yc = MatMul (c, t)
        y = Sum (ya, yb, yc)
      }
      """),
    CoupledNetwork(
      "inverted residual",
      """
      main (float[1,3,4,4] x) => (float[1,5,2,2] y)
      <
        float[4,3,1,1] w0 = {...}, float[16,4,1,1] expand = {...}, float[16,1,3,3] depth = {...},
        float[16] bias = {...}, float[4,16,1,1] project = {...}, float[5,4,2,2] w3 = {...},
        float low = {0}, float high = {6}
      >
      {
        s = Conv (x, w0)
        e = Conv (s, expand)
        r = Clip (e, low, high)
        d = Conv <group = 16, pads = [1, 1, 1, 1]> (r, depth, bias)
        q = HardSwish (d)
        p = Conv (q, project)
        t = Add (s, p)
        y = Conv <strides = [2, 2]> (t, w3)
      }
      """),
    CoupledNetwork(
      "squeeze and excitation",
      """
      main (float[2,3,4,4] x) => (float[2,5,4,4] y)
      <
        float[8,3,3,3] w = {...}, float[4,8,1,1] squeeze = {...}, float[4] b = {...},
        float[8,4,1,1] excite = {...}, float[5,8,1,1] v = {...}
      >
      {
        h = Conv <pads = [1, 1, 1, 1]> (x, w)
        p = GlobalAveragePool (h)
        q = Conv (p, squeeze, b)
        r = Relu (q)
        e = Conv (r, excite)
        g = Sigmoid (e)
        s = Mul (h, g)
        y = Conv (s, v)
      }
      """),
    CoupledNetwork(
      "channel shuffle",
      """
      main (float[1,3,4,4] x) => (float[1,5,4,4] y)
      <
        float[16,3,1,1] w = {...}, float[16,4,1,1] grouped = {...},
        int64[5] split = {0, 4, 4, 4, 4}, int64[4] merge = {0, 16, 4, 4},
        float[16,4,3,3] again = {...}, float[5,16,1,1] v = {...}
      >
      {
        h = Conv (x, w)
        g = Conv <group = 4> (h, grouped)
        r = Relu (g)
        s = Reshape (r, split)
        t = Transpose <perm = [0, 2, 1, 3, 4]> (s)
        m = Reshape (t, merge)
        a = Conv <group = 4, pads = [1, 1, 1, 1]> (m, again)
        y = Conv (a, v)
      }
      """),
    CoupledNetwork(
      "attention",
      """
      main (float[2,5,3] x) => (float[2,5,4] y)
      <
        float[3,8] w0 = {...}, float[8] scale = {...}, float[8] shift = {...},
        float[8,16] wq = {...}, float[8,16] wk = {...}, float[8,16] wv = {...},
        float[16] bq = {...}, float[16,8] wo = {...}, int64[4] heads = {0, 0, 4, 4},
        int64[3] merged = {0, 0, 16}, float root = {0.5},
        float[8,24] w1 = {...}, float[24,8] w2 = {...}, float[8,4] w3 = {...}
      >
      {
        [embed] e = MatMul (x, w0)
        n = LayerNormalization (e, scale, shift)
        qm = MatMul (n, wq)
        qb = Add (qm, bq)
        qr = Reshape (qb, heads)
        q = Transpose <perm = [0, 2, 1, 3]> (qr)
        km = MatMul (n, wk)
        kr = Reshape (km, heads)
        k = Transpose <perm = [0, 2, 3, 1]> (kr)
        vm = MatMul (n, wv)
        vr = Reshape (vm, heads)
        v = Transpose <perm = [0, 2, 1, 3]> (vr)
        a = MatMul (q, k)
        b = Mul (a, root)
        p = Softmax <axis = -1> (b)
        c = MatMul (p, v)
        t = Transpose <perm = [0, 2, 1, 3]> (c)
        o = Reshape (t, merged)
        om = MatMul (o, wo)
        s = Add (e, om)
        m = LayerNormalization (s, scale)
        [up] u = MatMul (m, w1)
        g = Gelu (u)
        d = MatMul (g, w2)
        z = Add (s, d)
        y = MatMul (z, w3)
      }
      """),
    CoupledNetwork(
      "stacked recurrent layers",
      """
      main (float[2,5,4] x) => (float[2,5,3] y)
      <
        float[4,6] w = {...}, float[2,16,6] w1 = {...}, float[2,16,4] r1 = {...},
        float[2,32] b1 = {...}, float[2,12] p1 = {...}, float[2,2,4] state = {...},
        int64[3] merged = {0, 0, -1}, float[2,12,8] w2 = {...}, float[2,12,4] r2 = {...},
        float[2,24] b2 = {...}, float[8,3] v = {...}
      >
      {
        h = MatMul (x, w)
        t = Transpose <perm = [1, 0, 2]> (h)
        l, lh, lc = LSTM <hidden_size = 4, direction = "bidirectional"> (
          t, w1, r1, b1, , state, state, p1)
        lt = Transpose <perm = [0, 2, 1, 3]> (l)
        lm = Reshape (lt, merged)
        g = GRU <hidden_size = 4, direction = "bidirectional", linear_before_reset = 1> (
          lm, w2, r2, b2)
        gt = Transpose <perm = [2, 0, 1, 3]> (g)
        gm = Reshape (gt, merged)
        y = MatMul (gm, v)
      }
      """),
    CoupledNetwork(
      "quantized layers",
      """
      main (float[1,3,4,4] x) => (float[1,5,4,4] y)
      <
        int8[8,3,3,3] w1 = {...},
        float[8] s1 = {0.002, 0.001, 0.003, 0.001, 0.002, 0.003, 0.001, 0.002},
        int8[8] z1 = {0, 0, 0, 0, 0, 0, 0, 0}, int32[8] b1 = {...}, float in = {0.05}, uint8 zero = {3},
        int8[6,8,1,1] w2 = {...}, float[6,4,1,1] s2 = {...},
        float[6] s3 = {1, 0.5, 1, 0.5, 1, 0.5}, uint8[6] z3 = {0, 1, 2, 3, 4, 5},
        float[5,6,1,1] v = {...}
      >
      {
        w1d = DequantizeLinear <axis = 0> (w1, s1, z1)
        b1d = DequantizeLinear <axis = 0> (b1, s1)
        h = Conv <pads = [1, 1, 1, 1]> (x, w1d, b1d)
        q = QuantizeLinear (h, in, zero)
        d = DequantizeLinear (q, in, zero)
        w2d = DequantizeLinear <axis = 1, block_size = 2> (w2, s2)
        g = Conv (d, w2d)
        r = QuantizeLinear <axis = 1> (g, s3, z3)
        e = DequantizeLinear <axis = 1> (r, s3, z3)
        y = Conv (e, v)
      }
      """),
    CoupledNetwork(
      "integer layers",
      """
      main (float[1,3,4,4] x) => (float[1,10] y)
      <
        uint8[8,3,3,3] w1 = {...}, uint8 z1 = {100}, float s1 = {0.01}, float in = {0.05},
        uint8 zero = {3}, int32[8] b1 = {...}, int8[6,8,1,1] w2 = {...}, float s2 = {0.002},
        uint8[96,10] w3 = {...}, uint8[10] z3 = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5},
        float[10] s3 = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, int8 z2 = {0}
      >
      {
        q = QuantizeLinear (x, in, zero)
        h = QLinearConv <pads = [1, 1, 1, 1]> (q, in, zero, w1, s1, z1, in, zero, b1)
        g = ConvInteger (h, w2, zero)
        gf = Cast <to = 1> (g)
        gs = Mul (gf, s2)
        r = Relu (gs)
        f = Flatten (r)
        d, ds, dz = DynamicQuantizeLinear (f)
        m = MatMulInteger (d, w3, dz, z3)
        mf = Cast <to = 1> (m)
        ms = Mul (mf, s3)
        y = Mul (ms, ds)
      }
      """),
    CoupledNetwork(
      "attention as one operator",
      """
      <ir_version: 10, opset_import: ["" : 23]>
      main (float[2,5,3] x) => (float[2,5,4] y)
      <
        float[3,8] w0 = {...}, float[8,24] wq = {...}, float[8,12] wk = {...},
        float[8,10] wv = {...}, float[24] bq = {...}, float[5,3] cosines = {...},
        float[5,3] sines = {...}, int64[2,5] positions = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4},
        float[1,4,5,5] mask = {...}, float[20,8] wo = {...}, float[8,4] w3 = {...}
      >
      {
        e = MatMul (x, w0)
        qm = MatMul (e, wq)
        qb = Add (qm, bq)
        q = RotaryEmbedding <num_heads = 4> (qb, cosines, sines, positions)
        km = MatMul (e, wk)
        k = RotaryEmbedding <num_heads = 2> (km, cosines, sines, positions)
        v = MatMul (e, wv)
        a = Attention <q_num_heads = 4, kv_num_heads = 2, is_causal = 1> (q, k, v, mask)
        o = MatMul (a, wo)
        s = Add (e, o)
        y = MatMul (s, w3)
      }
      """),
    CoupledNetwork(
      "attention of heads in an axis of their own",
      """
      <ir_version: 10, opset_import: ["" : 23]>
      main (float[2,5,3] x) => (float[2,5,4] y)
      <
        float[3,8] w0 = {...}, float[8,24] wq = {...}, float[8,12] wk = {...},
        float[8,12] wv = {...}, int64[4] queries = {0, 0, 4, 6}, int64[4] keys = {0, 0, 2, 6},
        float[5,2] cosines = {...}, float[5,2] sines = {...},
        int64[2,5] positions = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4},
        int64[3] merged = {0, 0, -1}, float[24,8] wo = {...}, float[8,4] w3 = {...}
      >
      {
        e = MatMul (x, w0)
        qm = MatMul (e, wq)
        qr = Reshape (qm, queries)
        qt = Transpose <perm = [0, 2, 1, 3]> (qr)
        q = RotaryEmbedding <interleaved = 1, rotary_embedding_dim = 4> (
          qt, cosines, sines, positions)
        km = MatMul (e, wk)
        kr = Reshape (km, keys)
        kt = Transpose <perm = [0, 2, 1, 3]> (kr)
        k = RotaryEmbedding <interleaved = 1, rotary_embedding_dim = 4> (
          kt, cosines, sines, positions)
        vm = MatMul (e, wv)
        vr = Reshape (vm, keys)
        v = Transpose <perm = [0, 2, 1, 3]> (vr)
        a, present, , scores = Attention <softcap = 2.0> (q, k, v)
        t = Transpose <perm = [0, 2, 1, 3]> (a)
        m = Reshape (t, merged)
        o = MatMul (m, wo)
        y = MatMul (o, w3)
      }
      """),
    CoupledNetwork(
      "shared weights",
      """
      main (float[2,4] x, float[2,4] z) => (float[2,3] y)
      <
        float[4,8] w = {...}, float[8] b = {...}, float[8,8] shared = {...}, float[8,3] v = {...}
      >
      {
        a1 = Gemm (x, w, b)
        b1 = Gemm (z, w, b)
        a2 = Relu (a1)
        b2 = Tanh (b1)
        a3 = MatMul (a2, shared)
        b3 = MatMul (b2, shared)
        d = Sub (a3, b3)
        e = Abs (d)
        y = MatMul (e, v)
      }
      """),
    CoupledNetwork(
      "encoder and decoder",
      """
      main (float[1,2,4,4] x) => (float[1,3,4,4] y)
      <
        float[6,2,3,3] w1 = {...}, float[8,6,2,2] w2 = {...}, float[8,6,2,2] up = {...},
        float[6] b = {...}, float[3,12,1,1] v = {...}
      >
      {
        c1 = Conv <pads = [1, 1, 1, 1]> (x, w1)
        r1 = Relu (c1)
        c2 = Conv <strides = [2, 2]> (r1, w2)
        r2 = Relu (c2)
        t = ConvTranspose <strides = [2, 2]> (r2, up, b)
        d = Concat <axis = 1> (t, r1)
        y = Conv (d, v)
      }
      """),
    CoupledNetwork(
      "padded and stretched channels",
      """
      main (float[1,2,4] x) => (float[1,3,4] y)
      <
        float[4,2,1] w = {...}, float[8,2,1] u = {...}, int64[6] pads = {0, 2, 0, 0, 2, 0},
        int64[3] target = {1, 8, 4}, float[3,8,1] v = {...}
      >
      {
        h = Conv (x, w)
        p = Pad (h, pads)
        g = Conv (x, u)
        s = Add (p, g)
        m = ReduceMax <keepdims = 1> (x)
        e = Expand (m, target)
        t = Mul (s, e)
        y = Conv (t, v)
      }
      """),
    CoupledNetwork(
      "normalizations over and within groups",
      """
      main (float[2,2,4,4] x) => (float[2,3,4,4] y)
      <
        float[8,2,3,3] w = {...}, float[8] s1 = {...}, float[8] b1 = {...},
        float[8,8,3,3] u = {...}, float[8] s2 = {...}, float[8] b2 = {...}, float[3,8,1,1] v = {...}
      >
      {
        h = Conv <pads = [1, 1, 1, 1]> (x, w)
        n = InstanceNormalization (h, s1, b1)
        r = Relu (n)
        g = Conv <pads = [1, 1, 1, 1]> (r, u)
        m = GroupNormalization <num_groups = 2> (g, s2, b2)
        y = Conv (m, v)
      }
      """),
  ]
}
