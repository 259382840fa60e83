import PrunecGraphIR
import PrunecOperators
import PrunecRuntime
import PrunecSemantics
import PrunecTensors
import Testing

/// Quantised operators in the runtime against the reference: they are to be equal, and to have kernels.
@Suite struct QuantizationTests {
  private func check(
    _ signature: String, _ body: String, _ inputs: [Tensor], isByKernels: Bool = true
  ) throws {
    let graph = try graph(signature, body, opset: 21)
    let expected = try ReferenceEvaluator(graph).run(inputs)
    for threadCount in 1...2 {
      let session = Session(graph, threadCount: threadCount)
      for (result, expected) in zip(try session.run(inputs), expected) {
        #expect(result.elementType == expected.elementType)
        #expect(result.shape == expected.shape)
        if result.elementType.isInteger {
          #expect(result.integers == expected.integers, "\(body)")
        } else {
          #expect(result.floats == expected.floats, "\(body)")
        }
      }
    }
    let steps = try Session(graph).measure(inputs, runs: 1, warmUps: 0, perStep: true).steps
    #expect(steps.contains { $0.kernel == "reference" } != isByKernels, "\(body)")
  }

  private func bytes(_ type: ElementType, _ shape: [Int], seed: UInt64 = 7) -> Tensor {
    var generator = SplitMix64(seed: seed)
    let range = type == .int8 ? -128...127 : 0...255
    return Tensor(
      wrapping: (0..<shape.reduce(1, *)).map { _ in Int.random(in: range, using: &generator) },
      to: type, shape: shape)
  }

  /// Constants in ONNX's textual syntax.
  private func list(_ tensor: Tensor) -> String {
    "{" + tensor.integers.map(String.init).joined(separator: ", ") + "}"
  }

  @Test(arguments: [7, 300, 700, 1500]) func sumsOfProductsAreExact(inner: Int) throws {
    let b = bytes(.int8, [inner, 5], seed: 3)
    let zeros = bytes(.int8, [5], seed: 4)
    for (declaration, operand) in [
      ("", ""), (", int8 z = {3}", ", z"), (", int8[5] z = \(list(zeros))", ", z"),
    ] {
      try check(
        """
        (uint8[2, 3, \(inner)] a) => (int32[2, 3, 5] y)
        <int8[\(inner), 5] b = \(list(b)), uint8 az = {131} \(declaration)>
        """,
        "y = MatMulInteger (a, b, az \(operand))", [bytes(.uint8, [2, 3, inner])])
    }
  }

  /// An odd number above 2^25, which float32 does not hold.
  @Test func greatSumsAreExact() throws {
    func filled(_ value: Int, _ type: ElementType, _ shape: [Int]) -> Tensor {
      Tensor(
        wrapping: [Int](repeating: value, count: shape.reduce(1, *)), to: type, shape: shape)
    }
    let b = filled(127, .int8, [1501, 1])
    try check(
      "(uint8[1, 1501] a) => (int32[1, 1] y) <int8[1501, 1] b = \(list(b))>",
      "y = MatMulInteger (a, b)", [filled(255, .uint8, [1, 1501])])
  }

  @Test func bothFactorsMayBeComputed() throws {
    let factors = [bytes(.uint8, [3, 5, 64]), bytes(.int8, [3, 64, 9], seed: 8)]
    try check(
      "(uint8[3, 5, 64] a, int8[3, 64, 9] b) => (int32[3, 5, 9] y)", "y = MatMulInteger (a, b)",
      factors)
    try check(
      "(uint8[3, 5, 64] a, int8[3, 64, 9] b, uint8 z) => (int32[3, 5, 9] y)",
      "y = MatMulInteger (a, b, z)", factors + [bytes(.uint8, [])])
  }

  @Test func zeroPointsOfRowsAreLeftToTheReference() throws {
    try check(
      "(uint8[3, 4] a, uint8[4, 2] b, uint8[3] z) => (int32[3, 2] y)",
      "y = MatMulInteger (a, b, z)",
      [bytes(.uint8, [3, 4]), bytes(.uint8, [4, 2]), bytes(.uint8, [3])], isByKernels: false)
  }

  @Test(arguments: [(1, 40, 24), (4, 40, 24), (40, 40, 40), (1, 600, 8)])
  func convolutions(groups: Int, channels: Int, filters: Int) throws {
    let shape = [filters, channels / groups, 3, 3]
    let weights = list(bytes(.int8, shape))
    let image = bytes(.uint8, [2, channels, 7, 9])
    try check(
      """
      (uint8[2, \(channels), 7, 9] x) => (int32[2, \(filters), 4, 9] y)
      <int8\(shape) w = \(weights), uint8 xz = {9}, int8 wz = {-5}>
      """,
      "y = ConvInteger <group = \(groups), pads = [1, 1, 1, 1], strides = [2, 1]> (x, w, xz, wz)",
      [image])
    let scales = (0..<filters).map { "\(0.001 + 0.0001 * Double($0))" }.joined(separator: ", ")
    let biases = (0..<filters).map { "\(97 * $0 - 1000)" }.joined(separator: ", ")
    try check(
      """
      (uint8[2, \(channels), 7, 9] x) => (int8[2, \(filters), 7, 9] y)
      <int8\(shape) w = \(weights), float xs = {0.02}, uint8 xz = {120}, int8 wz = {0},
      float[\(filters)] ws = {\(scales)}, float ys = {1.7}, int8 yz = {-3},
      int32[\(filters)] b = {\(biases)}>
      """,
      "y = QLinearConv <group = \(groups), pads = [1, 1, 1, 1]> (x, xs, xz, w, ws, wz, ys, yz, b)",
      [image])
  }

  @Test func largeSumsOfConvolutionsAreExact() throws {
    // Winograd's transforms would take more digits than float32 has.
    let image = Tensor(
      wrapping: bytes(.uint8, [1, 57, 12, 12]).integers.map { 200 + $0 % 56 }, to: .uint8,
      shape: [1, 57, 12, 12])
    let weights = Tensor(
      wrapping: bytes(.uint8, [32, 57, 3, 3]).integers.map { 100 + $0 % 28 }, to: .int8,
      shape: [32, 57, 3, 3])
    try check(
      "(uint8[1, 57, 12, 12] x) => (int32[1, 32, 12, 12] y) <int8[32, 57, 3, 3] w = \(list(weights))>",
      "y = ConvInteger <pads = [1, 1, 1, 1]> (x, w)", [image])
  }

  @Test func floatsOf8BitsAreLeftToTheReference() throws {
    let graph = try graph(
      """
      (uint8[2, 3] a) => (uint8[2, 2] y)
      <float8e4m3fn[3, 2] b = {1, 2, 3, 4, 5, 6}, float as = {1}, uint8 az = {1}, float bs = {1}, float8e4m3fn bz = {0}, float ys = {1},
      uint8 yz = {1}>
      """,
      "y = QLinearMatMul (a, as, az, b, bs, bz, ys, yz)", opset: 21)
    #expect(throws: CompileError.self) {
      _ = try Session(graph).run([bytes(.uint8, [2, 3])])
    }
  }

  @Test func productsAreQuantised() throws {
    try check(
      """
      (uint8[4, 257] a) => (uint8[4, 5] y)
      <int8[257, 5] b = \(list(bytes(.int8, [257, 5]))), float as = {0.02}, uint8 az = {100},
      float[5] bs = {0.01, 0.02, 0.003, 0.004, 0.005}, int8 bz = {0}, float ys = {0.9}, uint8 yz = {111}>
      """,
      "y = QLinearMatMul (a, as, az, b, bs, bz, ys, yz)", [bytes(.uint8, [4, 257])])
  }

  @Test func rangesAreMeasured() throws {
    for factor: Float in [0, 3, -2] {
      let x = Tensor((0..<903).map { factor * Float($0 % 89 - 20) }, shape: [7, 129])
      try check(
        "(float[7, 129] x) => (uint8[7, 129] y, float s, uint8 z)",
        "y, s, z = DynamicQuantizeLinear (x)", [x])
    }
  }

  @Test func numbersAreQuantised() throws {
    let special: [Float] = [
      .nan, .infinity, -.infinity, 1e30, -1e30, 0.5, 1.5, 2.5, -0.5, 254.5, 255.5, -128.5, 0,
    ]
    for (type, zero) in [("uint8", 3), ("int8", -3)] {
      try check(
        "(float[13] x) => (\(type)[13] q, float[13] y) <float s = {1}, \(type) z = {\(zero)}>",
        "q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z)",
        [Tensor(special, shape: [13])])
      // The integers are nowhere in memory.
      try check(
        "(float[13] x) => (float[13] y) <float s = {1}, \(type) z = {\(zero)}>",
        "q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z)",
        [Tensor(special, shape: [13])])
    }
  }

  @Test func scalesMayGoAlongAnAxis() throws {
    let x = Tensor((0..<420).map { Float($0 * 37 % 211) - 100 }, shape: [2, 6, 5, 7])
    try check(
      """
      (float[2, 6, 5, 7] x) => (int8[2, 6, 5, 7] q, float[2, 6, 5, 7] y)
      <float[6] s = {0.1, 0.7, 1.3, 2, 3, 5}, int8[6] z = {1, -2, 3, -4, 5, -6}>
      """,
      "q = QuantizeLinear <axis = 1> (x, s, z) y = DequantizeLinear <axis = 1> (q, s, z)", [x])
    try check(
      "(float[2, 6, 5, 7] x, float[6] s) => (uint8[2, 6, 5, 7] q)",
      "q = QuantizeLinear <axis = 1> (x, s)", [x, Tensor([1, 2, 3, 4, 5, 6], shape: [6])],
      isByKernels: false)
  }

  @Test func biasesOf32BitsAreNumbers() throws {
    let x = Tensor(.int32, shape: [4], elements: [Int32(16_777_217), -5, .max, .min])
    try check(
      "(int32[4] x) => (float[4] y) <float s = {0.25}>", "y = DequantizeLinear (x, s)", [x])
  }

  @Test func integersAreConvertedAndAdded() throws {
    let numbers = Tensor([1.9, -1.9, 3e9, -3e9, .nan, 0.4], shape: [6])
    try check("(float[6] x) => (int32[6] y)", "y = Cast <to = 6> (x)", [numbers])
    let a = Tensor(.int32, shape: [4], elements: [Int32(16_777_217), -5, .max, .min])
    try check("(int32[4] x) => (float[4] y)", "y = Cast <to = 1> (x)", [a])
    try check(
      "(int32[4] x, int32[1] z) => (int32[4] y)", "y = Add (x, z)",
      [a, Tensor(.int32, shape: [1], elements: [Int32(-7)])])
    for type in [ElementType.int8, .uint8] {
      for target in [1, 6, 10] {
        try check(
          "(\(type.name)[70] x) => (float[70] y)",
          "t = Cast <to = \(target)> (x) y = Cast <to = 1> (t)",
          [bytes(type, [70])])
      }
    }
  }
}
