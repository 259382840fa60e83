import PrunecGraphIR
import PrunecRuntime
import PrunecSemantics
import PrunecTensors
import Testing

/// Operators whose kernels take more than one instruction, or several steps, against the reference.
@Suite struct OperatorTests {
  /// Runs a graph in both, and gives back the kernels of its steps.
  @discardableResult
  private func check(
    _ signature: String, _ body: String, _ inputs: [Tensor], opset: Int = 20,
    tolerance: Double = 1e-5
  ) throws -> [String] {
    let graph = try graph(signature, body, opset: opset)
    let expected = try ReferenceEvaluator(graph).run(inputs)
    for threadCount in 1...2 {
      let session = Session(graph, threadCount: threadCount)
      let comparison = Comparison(try session.run(inputs), expected: expected)
      #expect(comparison.maxRelative <= tolerance, "\(body)")
    }
    return try Session(graph, threadCount: 1).measure(inputs, runs: 1, warmUps: 0, perStep: true)
      .steps.map(\.kernel)
  }

  @Test func restsHaveTheSignOfTheDivisor() throws {
    let a: [Float] = [-4.3, 7.2, 5, 4.3, -7.2, 8, 6, -6, 0, 3, -1, -.infinity, 2]
    let b: [Float] = [2.1, -3.4, 8, -2.1, 3.4, 5, 3, -3, -5, .infinity, .infinity, 2, 0]
    let operands = [a, b].map { Tensor($0, shape: [13]) }
    for attributes in ["", "<fmod = 1>"] {
      let kernels = try check(
        "(float[13] a, float[13] b) => (float[13] y)", "y = Mod \(attributes) (a, b)", operands,
        tolerance: 1e-6)
      #expect(kernels == ["elementwise"])
    }
  }

  private func normal(_ shape: [Int], seed: UInt64 = 7) -> Tensor {
    var generator = SplitMix64(seed: seed)
    return Tensor((0..<shape.reduce(1, *)).map { _ in Float(generator.nextNormal()) }, shape: shape)
  }

  @Test func convolutionsByTiles() throws {
    for (pads, extents) in [
      ("1, 1, 1, 1", "13, 21"), ("0, 2, 3, 1", "14, 22"), ("0, 0, 0, 0", "11, 19"),
    ] {
      for activation in [
        "n = Add (d, c) y = Relu (n)", "g = Sigmoid (d) m = Mul (d, g) y = Add (c, m)",
      ] {
        let kernels = try check(
          """
          (float[2, 37, 13, 21] x) => (float[2, 33, \(extents)] y)
          <float[33, 37, 3, 3] w = {...}, float[33] b = {...}, float[33, 33, 3, 3] v = {...}>
          """,
          """
          c = Conv <pads = [\(pads)]> (x, w, b)
          d = Conv <pads = [1, 1, 1, 1]> (c, v)
          \(activation)
          """, [normal([2, 37, 13, 21])], tolerance: 3e-6)
        let winograd = ["winograd input", "winograd product", "winograd output"]
        #expect(kernels == ["copy"] + winograd + winograd)
      }
    }
  }

  /// Taps that do not lie side by side, and padding that is not the same on all sides.
  @Test func convolutionsWithHolesAndUnevenPadding() throws {
    for (weight, attributes, extents) in [
      ("4, 3", "dilations = [2, 2]", "4, 6, 8"), ("4, 3", "pads = [2, 0, 1, 3]", "4, 11, 13"),
      ("3, 1", "group = 3, pads = [2, 0, 1, 3]", "3, 11, 13"),
    ] {
      let kernels = try check(
        "(float[1, 3, 10, 12] x) => (float[1, \(extents)] y) <float[\(weight), 3, 3] w = {...}>",
        "y = Conv <\(attributes)> (x, w)", [normal([1, 3, 10, 12])])
      #expect(!kernels.contains("reference"))
    }
  }

  /// Several panels of a single row at once, what is left over of them, and all that may follow the sums.
  @Test func rowsByMatrices() throws {
    for count in [61, 64, 100, 130, 203, 256] {
      for rest in [
        "y = Identity (p)", "y = Add (p, b)", "q = Add (p, b) y = Sigmoid (q)", "y = Add (p, r)",
        "q = Add (p, r) y = Relu (q)", "q = Tanh (p) y = Add (q, r)",
      ] {
        try check(
          """
          (float[1, 37] x, float[1, \(count)] r) => (float[1, \(count)] y)
          <float[37, \(count)] w = {...}, float[\(count)] b = {...}>
          """, "p = MatMul (x, w) \(rest)", [normal([1, 37]), normal([1, count], seed: 8)])
      }
    }
  }

  @Test func emptyBatchesGiveEmptyResults() throws {
    try check(
      """
      (float[N, 4, 9, 9] x) => (float[N, 10] y)
      <float[40, 4, 3, 3] w = {...}, float[40, 40, 3, 3] v = {...}, float[1960, 10] m = {...}>
      """,
      "c = Conv (x, w) d = Conv <pads = [1, 1, 1, 1]> (c, v) f = Flatten (d) y = MatMul (f, m)",
      [Tensor(zeros: .float32, shape: [0, 4, 9, 9])])
  }

  @Test func imagesAreResampled() throws {
    for mode in ["nearest", "linear"] {
      for coordinates in ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"] {
        let attributes = "<mode = \"\(mode)\", coordinate_transformation_mode = \"\(coordinates)\">"
        let kernels = try check(
          "(float[2, 5, 4, 7] x) => (float[2, 5, 9, 3] y)",
          "s = Constant <value_ints = [2, 5, 9, 3]> () y = Resize \(attributes) (x, , , s)",
          [normal([2, 5, 4, 7])])
        #expect(kernels == ["copy", "resampling"])
        try check(
          "(float[1, 3, 6] x) => (float[1, 3, N] y)",
          "s = Constant <value_floats = [1.0, 1.0, 1.7]> () y = Resize \(attributes) (x, , s)",
          [normal([1, 3, 6])])
      }
    }
    try check(
      "(float[1, 3, 2, 6] x) => (float[1, 3, 4, 18] y)",
      """
      s = Constant <value_floats = [1.0, 1.0, 2.0, 3.0]> ()
      y = Upsample <mode = "linear"> (x, s)
      """, [normal([1, 3, 2, 6])], opset: 9)
    // Scales that are known only when the model runs.
    try check(
      "(float[1, 1, 2, 2] x, float[4] s) => (float[1, 1, 4, 6] y)",
      "y = Upsample <mode = \"nearest\"> (x, s)",
      [normal([1, 1, 2, 2]), Tensor([1, 1, 2, 3], shape: [4])], opset: 9)
  }

  @Test(arguments: [("LSTM", 4), ("GRU", 3), ("RNN", 1)], [0, 1])
  func recurrentLayersRun(_ layer: (name: String, gates: Int), layout: Int) throws {
    for (direction, count) in [("forward", 1), ("reverse", 1), ("bidirectional", 2)] {
      for (steps, batch) in [(1, 1), (5, 3)] {
        let rows = 6 * layer.gates
        let x = layout == 1 ? [batch, steps, 4] : [steps, batch, 4]
        let state = layout == 1 ? [batch, count, 6] : [count, batch, 6]
        let y = layout == 1 ? [batch, steps, count, 6] : [steps, count, batch, 6]
        let hasCell = layer.name == "LSTM"
        for linear in layer.name == "GRU"
          ? [", linear_before_reset = 0", ", linear_before_reset = 1"] : [""]
        {
          let kernels = try check(
            """
            (float\(x) x, float\(state) h, float\(state) c) => (float\(y) y, float\(state) yh\(hasCell ? ", float\(state) yc" : ""))
            <float[\(count), \(rows), 4] w = {...}, float[\(count), \(rows), 6] r = {...},
             float[\(count), \(2 * rows)] b = {...}>
            """,
            """
            y, yh\(hasCell ? ", yc" : "") = \(layer.name)
              <hidden_size = 6, layout = \(layout), direction = "\(direction)"\(linear)>
              (x, w, r, b, , h\(hasCell ? ", c" : ""))
            """, [normal(x), normal(state), normal(state)])
          #expect(!kernels.contains("reference"))
        }
      }
    }
  }

  @Test func recurrentLayersNeedNoStates() throws {
    let kernels = try check(
      """
      (float[3, 2, 4] x) => (float[1, 2, 5] yh)
      <float[1, 20, 4] w = {...}, float[1, 20, 5] r = {...}>
      """, "y, yh = LSTM <hidden_size = 5> (x, w, r)", [normal([3, 2, 4])])
    #expect(!kernels.contains("reference"))
  }

  @Test func contractionsAreMatrixProducts() throws {
    let operands = (normal([2, 3, 4, 5]), normal([2, 6, 4, 5], seed: 8))
    for result in ["bhij", "bjhi", "hibj", "jibh"] {
      let extents: [Character: Int] = ["b": 2, "h": 4, "i": 3, "j": 6]
      let shape = result.map { extents[$0]! }
      let kernels = try check(
        "(float[2, 3, 4, 5] a, float[2, 6, 4, 5] b) => (float\(shape) y)",
        "y = Einsum <equation = \"bihd,bjhd->\(result)\"> (a, b)", [operands.0, operands.1])
      #expect(!kernels.contains("reference"))
    }
    for (equation, y) in [("bihd,dk->bihk", "2, 3, 4, 7"), ("bihd,hk->kbid", "7, 2, 3, 5")] {
      let shape = equation.contains("dk") ? "5, 7" : "4, 7"
      let kernels = try check(
        "(float[2, 3, 4, 5] a) => (float[\(y)] y) <float[\(shape)] w = {...}>",
        "y = Einsum <equation = \"\(equation)\"> (a, w)", [operands.0])
      #expect(!kernels.contains("reference"))
    }
    try check(
      "(float[5] a, float[5] b) => (float y)", "y = Einsum <equation = \"i,i->\"> (a, b)",
      [normal([5]), normal([5], seed: 9)])
    try check(
      "(float[3] a, float[5] b) => (float[5, 3] y)",
      "y = Einsum <equation = \"i,j->ji\"> (a, b)", [normal([3]), normal([5])])
  }

  @Test func volumesAreConvolvedTapByTap() throws {
    for (attributes, groups, y) in [
      ("pads = [1, 1, 1, 1, 1, 1]", 1, "2, 6, 5, 6, 7"),
      ("pads = [2, 0, 1, 1, 1, 1], strides = [2, 1, 2]", 2, "2, 6, 3, 5, 4"),
      ("dilations = [2, 1, 1], pads = [1, 0, 0, 2, 0, 0]", 1, "2, 6, 4, 4, 5"),
    ] {
      let kernels = try check(
        """
        (float[2, 4, 5, 6, 7] x) => (float[\(y)] y)
        <float[6, \(4 / groups), 3, 3, 3] w = {...}, float[6] b = {...}>
        """,
        """
        c = Conv <kernel_shape = [3, 3, 3], group = \(groups), \(attributes)> (x, w, b)
        r = Relu (c)
        y = Add (r, r)
        """, [normal([2, 4, 5, 6, 7])])
      #expect(!kernels.contains("reference"))
    }
  }

  @Test func volumesArePooled() throws {
    for (node, y) in [
      ("MaxPool <kernel_shape = [2, 3, 2], strides = [2, 1, 2]>", "2, 3, 2, 4, 3"),
      ("MaxPool <kernel_shape = [3, 3, 3], pads = [1, 1, 1, 1, 1, 1]>", "2, 3, 5, 6, 7"),
      ("AveragePool <kernel_shape = [3, 3, 3], pads = [1, 0, 1, 1, 0, 1]>", "2, 3, 5, 4, 7"),
      (
        "AveragePool <kernel_shape = [3, 3, 3], pads = [1, 0, 1, 1, 0, 1], count_include_pad = 1>",
        "2, 3, 5, 4, 7"
      ),
    ] {
      let parts = node.split(separator: " ", maxSplits: 1)
      let kernels = try check(
        "(float[2, 3, 5, 6, 7] x) => (float[\(y)] y)", "y = \(parts[0]) \(parts[1]) (x)",
        [normal([2, 3, 5, 6, 7])])
      #expect(!kernels.contains("reference"))
    }
  }

  @Test func repetitionsAreCopied() throws {
    let kernels = try check(
      "(float[2, 3, 1, 4] x) => (float[2, 9, 5, 8] y)",
      "r = Constant <value_ints = [1, 3, 5, 2]> () y = Tile (x, r)", [normal([2, 3, 1, 4])])
    #expect(kernels == ["copy"])
  }

  @Test func anyNumberOfAxesIsCopied() throws {
    let x = normal([2, 2, 3, 2, 2, 2, 2, 2])
    try check(
      "(float[2, 2, 3, 2, 2, 2, 2, 2] x) => (float[2, 2, 2, 2, 2, 3, 2, 2] y, float[384] z)",
      """
      y = Transpose <perm = [7, 6, 5, 4, 3, 2, 1, 0]> (x)
      s = Constant <value_ints = [384]> ()
      z = Reshape (y, s)
      """, [x])
    // So many that no view holds them.
    let twos = [Int](repeating: 2, count: 14)
    try check(
      "(float\(twos) x) => (float\(twos) y)",
      "y = Transpose <perm = \(Array((0..<14).reversed()))> (x)", [normal(twos)])
  }

  @Test func exponentialsAreNormalizedAlongAxesOfOneElement() throws {
    for (opset, axis) in [(13, 0), (13, 1), (13, 2), (12, 0), (12, 1), (12, 2)] {
      for shape in [[1, 1, 4], [1, 4, 1], [4, 1, 1], [1, 1, 1]] {
        for operation in ["Softmax", "LogSoftmax"] {
          let kernels = try check(
            "(float\(shape) x) => (float\(shape) y)", "y = \(operation) <axis = \(axis)> (x)",
            [normal(shape)], opset: opset)
          #expect(kernels == ["softmax"])
        }
      }
    }
  }

  @Test func stacksOfMatricesAreScaled() throws {
    for node in ["Mul", "Add"] {
      try check(
        "(float[2, 3, 4, 5] x) => (float[2, 3, 4, 6] y) <float[3, 5, 6] w = {...}, float[6] s = {...}>",
        "p = MatMul (x, w) y = \(node) (p, s)", [normal([2, 3, 4, 5])])
    }
  }

  @Test func bothFactorsOfAGemmCount() throws {
    try check(
      "(float[2, 5] x) => (float[2, 6] y) <float[5, 6] w = {...}, float[6] b = {...}>",
      "y = Gemm <alpha = 0.5, beta = 3.0> (x, w, b)", [normal([2, 5])])
  }

  /// A factor and an addend for each channel go into the weights, but not past a sum with another value.
  @Test func sumsAreScaledAsTheyAre() throws {
    let kernels = try check(
      """
      (float[1, 3, 6, 7] x) => (float[1, 5, 6, 7] y)
      <float[5, 3, 1, 1] w = {...}, float[5, 3, 1, 1] v = {...}, float[5, 1, 1] s = {...}>
      """, "a = Conv (x, w) b = Conv (x, v) c = Add (b, a) y = Mul (c, s)", [normal([1, 3, 6, 7])])
    #expect(kernels.last == "elementwise")
  }

  @Test func indicesCountFromBothEnds() throws {
    try check(
      "(float[4, 3] x, int64[4] i) => (float[4, 3] y)", "y = Gather (x, i)",
      [normal([4, 3]), Tensor([-4, 3, -1, 0])])
  }

  @Test func negativePaddingTakesAway() throws {
    try check(
      "(float[2, 6, 9] x) => (float[3, 4, 7] y) <int64[6] p = {0, -2, 2, 1, 0, -4}>",
      "y = Pad (x, p)", [normal([2, 6, 9])])
  }

  @Test func imagesAreReducedByBands() throws {
    for height in [80, 81] {
      for (extents, node) in [
        ("[1, 5, 1, 1]", "GlobalAveragePool (c)"), ("[1, 5, 1, 1]", "GlobalMaxPool (c)"),
        ("[1, 5]", "ReduceMean <axes = [2, 3], keepdims = 0> (c)"),
        ("[5, 100]", "ReduceSum <keepdims = 0> (c, a)"),
        ("[1, 5, 1, 100]", "ReduceMin <axes = [2]> (c)"),
        ("[1, 5, 1, 1]", "ReduceL2 <axes = [2, 3]> (c)"),
        ("[]", "ReduceMax <keepdims = 0> (c)"),
      ] {
        let kernels = try check(
          "(float[1, 3, \(height), 100] x) => (float\(extents) y) <float[5, 3, 1, 1] w = {...}, int64[2] a = {0, 2}>",
          "c = Conv (x, w) y = \(node)", [normal([1, 3, height, 100])], opset: 17)
        #expect(!kernels.contains("reference"))
      }
    }
  }

  @Test func rowsOfManyAxesMeetOneMatrix() throws {
    let kernels = try check(
      "(float[2, 3, 4, 5, 2, 6] x) => (float[2, 3, 5, 4, 2, 7] y) <float[6, 7] w = {...}, float[7] s = {...}>",
      "t = Transpose <perm = [0, 1, 3, 2, 4, 5]> (x) p = MatMul (t, w) y = Add (p, s)",
      [normal([2, 3, 4, 5, 2, 6])])
    #expect(!kernels.contains("elementwise"))
  }

  @Test func truthValuesAreConverted() throws {
    let x = Tensor([0, -0.0, 0.5, -2, .nan], shape: [5])
    let kernels = try check(
      "(float[5] x) => (float[5] y, bool[5] z)",
      "z = Cast <to = 9> (x) f = Cast <to = 1> (z) h = Cast <to = 10> (f) y = CastLike (h, x)", [x])
    #expect(!kernels.contains("reference"))
  }

  @Test func neighboursAreNormalizedBy() throws {
    for (attributes, shape) in [
      ("size = 5", [2, 7, 3, 4]), ("size = 4, alpha = 0.5, beta = 0.6, bias = 2.0", [1, 3, 5]),
      ("size = 9, alpha = 2.0", [1, 4, 2, 2]),
    ] {
      let kernels = try check(
        "(float\(shape) x) => (float\(shape) y)", "y = LRN <\(attributes)> (x)", [normal(shape)])
      #expect(!kernels.contains("reference"))
    }
  }

  @Test func dropoutsAreNoSteps() throws {
    let kernels = try check(
      "(float[2, 3] x) => (float[2, 3] y)", "d, m = Dropout (x) y = Neg (d)", [normal([2, 3])])
    #expect(kernels == ["elementwise"])
    try check(
      "(float[2, 3] x) => (float[2, 3] y, bool[2, 3] m)", "y, m = Dropout (x)", [normal([2, 3])])
  }

  @Test func bordersAreRepeated() throws {
    for mode in ["reflect", "edge", "wrap"] {
      for (shape, pads, result) in [
        ([2, 5, 7], "1, 0, 3, 0, 2, 4", [3, 7, 14]), ([9], "20, 13", [42]),
        ([3, 1, 4], "0, 2, 0, 0, 1, 9", [3, 4, 13]),
      ] {
        let kernels = try check(
          "(float\(shape) x) => (float\(result) y) <int64[\(2 * shape.count)] p = {\(pads)}>",
          "y = Pad <mode = \"\(mode)\"> (x, p)", [normal(shape)])
        #expect(Set(kernels) == ["copy"], "\(mode)")
      }
    }
  }

  @Test func wholeNumbersAreComparedAndComputedWith() throws {
    let a = Tensor(
      .int32, shape: [2, 5], elements: [Int32.min, -7, 0, 1 << 30, .max, 3, 3, 3, -1, 9])
    let b = Tensor(.int32, shape: [5], elements: [Int32](arrayLiteral: -1, -7, 1, 1 << 30, 2))
    for node in ["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"] {
      let kernels = try check(
        "(int32[2, 5] a, int32[5] b) => (float[2, 5] y)",
        "c = \(node) (a, b) y = Cast <to = 1> (c)", [a, b])
      #expect(kernels == ["elementwise"], "\(node)")
    }
    for node in ["Add", "Sub", "Mul", "Min", "Max"] {
      let kernels = try check(
        "(int32[2, 5] a, int32[5] b) => (int32[2, 5] y)", "y = \(node) (a, b)", [a, b],
        tolerance: 0)
      #expect(kernels == ["elementwise"], "\(node)")
    }
    let kernels = try check(
      "(int32[2, 5] a, int32[5] b) => (int32[2, 5] y)", "c = Less (a, b) y = Where (c, a, b)",
      [a, b], tolerance: 0)
    #expect(kernels == ["elementwise"])
    let bytes = Tensor(.uint8, shape: [4], elements: [UInt8(0), 255, 3, 4])
    let others = Tensor(.uint8, shape: [4], elements: [UInt8(0), 254, 4, 4])
    #expect(
      try check(
        "(uint8[4] a, uint8[4] b) => (bool[4] y)", "y = Less (a, b)", [bytes, others]
      ) == ["elementwise"])
    // Sixty-four bits are the reference's, and exact.
    let (wide, other) = (Tensor([1 << 60, -3, 5]), Tensor([1 << 60 + 1, -3, 4]))
    try check("(int64[3] a, int64[3] b) => (bool[3] y)", "y = Equal (a, b)", [wide, other])
  }

  @Test func updatesAreScattered() throws {
    for reduction in ["none", "add", "mul", "max", "min"] {
      for axis in 0..<3 {
        // Along other axes there are fewer updates than elements. Without a reduction none may meet.
        let indices = Tensor(
          (0..<12).map { reduction == "none" ? -1 - $0 % 2 : $0 % 3 - 1 }, shape: [2, 2, 3])
        let kernels = try check(
          "(float[3, 4, 5] x, int64[2, 2, 3] i, float[2, 2, 3] u) => (float[3, 4, 5] y)",
          "y = ScatterElements <axis = \(axis), reduction = \"\(reduction)\"> (x, i, u)",
          [normal([3, 4, 5]), indices, normal([2, 2, 3], seed: 3)])
        #expect(kernels.last == "scatter" && !kernels.contains("reference"))
      }
    }
    let outside = try graph(
      "(float[3] x, int64[1] i, float[1] u) => (float[3] y)", "y = ScatterElements (x, i, u)",
      opset: 20)
    #expect(throws: CompileError.self) {
      try Session(outside, threadCount: 1).run(
        [normal([3]), Tensor([3]), normal([1])])
    }
  }

  /// Of the longer sequences some steps lie behind all ends.
  @Test(arguments: [(6, 6), (60, 30)])
  func sequencesEndWhereTheirLengthsSay(steps: Int, longest: Int) throws {
    let types = "float[\(steps), 3, 4] x, int32[3] n"
    let lengths = Tensor(.int32, shape: [3], elements: [Int32(longest), 0, 2])
    for direction in ["forward", "reverse", "bidirectional"] {
      let d = direction == "bidirectional" ? 2 : 1
      for (operation, gates, attributes) in [
        ("LSTM", 4, ""), ("GRU", 3, ""), ("GRU", 3, ", linear_before_reset = 1"), ("RNN", 1, ""),
      ] {
        for hasInitial in [false, true] {
          let cell = operation == "LSTM"
          let outputs = cell ? ", float[\(d), 3, 5] yc" : ""
          let initial = hasInitial ? ", h" + (cell ? ", h" : "") : ""
          let kernels = try check(
            """
            (\(types)) => (float[\(steps), \(d), 3, 5] y, float[\(d), 3, 5] yh\(outputs))
            <float[\(d), \(gates * 5), 4] w = {...}, float[\(d), \(gates * 5), 5] r = {...},
             float[\(d), \(gates * 10)] b = {...}, float[\(d), 3, 5] h = {...}>
            """,
            """
            y, yh\(cell ? ", yc" : "") = \(operation) <direction = "\(direction)"\(attributes),
              hidden_size = 5> (x, w, r, b, n\(initial))
            """, [normal([steps, 3, 4]), lengths])
          #expect(!kernels.contains("reference"))
        }
      }
    }
    let tooLong = try graph(
      "(float[2, 1, 1] x, int32[1] n) => (float[2, 1, 1, 1] y) <float[1, 1, 1] w = {1}>",
      "y = RNN <hidden_size = 1> (x, w, w, , n)", opset: 20)
    #expect(throws: CompileError.self) {
      try Session(tooLong, threadCount: 1).run([
        normal([2, 1, 1]), Tensor(.int32, shape: [1], elements: [Int32(3)]),
      ])
    }
  }
}
