import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct PoolingTests {
  static let hostile: [Attribute] = [
    Attribute("kernel_shape", [Int.max]), Attribute("kernel_shape", [Int.min]),
    Attribute("kernel_shape", [0]), Attribute("kernel_shape", [2, 2]),
    Attribute("kernel_shape", "x"),
  ]

  @Test(arguments: ["MaxPool", "AveragePool", "LpPool"], hostile)
  func refusesImpossibleKernels(type: String, kernel: Attribute) {
    #expect(OperatorCase(type, [.float(1, 1, 6)], [kernel]).refusal() != nil)
  }

  @Test(arguments: ["strides", "dilations", "pads"], [Int.min, Int.max])
  func refusesImpossibleAttributes(name: String, value: Int) {
    let values = [Int](repeating: value, count: name == "pads" ? 2 : 1)
    let attributes = [Attribute("kernel_shape", [2]), Attribute(name, values)]
    #expect(OperatorCase("MaxPool", [.float(1, 1, 6)], attributes).refusal() != nil)
  }

  @Test func refusesTensorsTooLarge() {
    let attributes = [Attribute("kernel_shape", [1]), Attribute("pads", [1 << 31, 1 << 31])]
    let pool = OperatorCase("MaxPool", [.counting(1, 1, 1)], attributes)
    #expect(throws: CompileError.self) { try pool.evaluate() }
    let batch = OperatorCase("GlobalMaxPool", [.constant([], 1 << 40, 1, 0)])
    #expect(throws: CompileError.self) { try batch.evaluate() }
  }

  @Test func roundsUpButStartsNoWindowInThePadding() throws {
    let pool = OperatorCase(
      "MaxPool", [.float(-1, 8, 5, 5)],
      [
        Attribute("kernel_shape", [3, 3]), Attribute("strides", [3, 3]),
        Attribute("pads", [1, 1, 1, 1]), Attribute("ceil_mode", 1),
      ])
    #expect(try pool.shape() == "n 8 2 2")
    #expect(
      try pool.relations() == [
        "X0.0 = Y0.0", "X0.1 = Y0.1", "pin X0.2", "pin Y0.2", "pin X0.3", "pin Y0.3",
      ])
    let same = OperatorCase(
      "MaxPool", [.float(1, 1, 6)],
      [
        Attribute("kernel_shape", [2]), Attribute("strides", [4]), Attribute("ceil_mode", 1),
        Attribute("auto_pad", "SAME_UPPER"),
      ])
    #expect(try same.shape() == "1 1 2")
  }

  @Test func maxPoolGivesIndices() throws {
    let pool = OperatorCase(
      "MaxPool", [.counting(1, 1, 4, 3)], results: 2,
      [
        Attribute("kernel_shape", [2, 2]), Attribute("strides", [2, 1]),
        Attribute("storage_order", 1),
      ])
    let results = try pool.evaluate()
    #expect(results[0] == Tensor([5, 6, 11, 12], shape: [1, 1, 2, 2]))
    #expect(results[1] == Tensor([5, 9, 7, 11] as [Int], shape: [1, 1, 2, 2]))
    #expect(try pool.relations().contains("pin X0.1"))

    let padded = OperatorCase(
      "MaxPool", [.counting(1, 2, 2, 3)], results: 2,
      [Attribute("kernel_shape", [2, 2]), Attribute("pads", [1, 1, 0, 0])])
    #expect(try padded.evaluate()[1].integers == Array(0..<12))
  }

  @Test func maxPoolTakesBytes() throws {
    let bytes = ValueFacts(
      constant: Tensor(.int8, shape: [1, 1, 3], elements: [Int8(-3), -5, -7]))
    let attributes = [Attribute("kernel_shape", [2])]
    let pool = OperatorCase("MaxPool", [bytes], attributes)
    #expect(try pool.evaluate()[0].integers == [-3, -5])
    let wide = OperatorCase("MaxPool", [ValueFacts(.int64, nil)], attributes)
    #expect(wide.refusal() == "operand 0 is of type int64")
  }

  /// The expectations are onnxruntime's.
  @Test(arguments: [
    ([3], [2], [0, 0], 0, [2, 4, 5.5]), ([3], [2], [0, 0], 1, [2, 4, 5.5]),
    ([3], [3], [1, 1], 0, [1.5, 4, 6]), ([3], [3], [1, 1], 1, [1, 4, 3]),
  ])
  func averagesWhatTheWindowCovers(
    kernel: [Int], strides: [Int], pads: [Int], countsPadding: Int, expected: [Float]
  ) throws {
    let pool = OperatorCase(
      "AveragePool", [.counting(1, 1, 6)],
      [
        Attribute("kernel_shape", kernel), Attribute("strides", strides), Attribute("pads", pads),
        Attribute("ceil_mode", 1), Attribute("count_include_pad", countsPadding),
      ])
    #expect(try pool.evaluate()[0].floats == expected)
  }

  @Test func averagesDilatedWindows() throws {
    let pool = OperatorCase(
      "AveragePool", opset: 19, [.counting(1, 1, 3, 3)],
      [Attribute("kernel_shape", [2, 2]), Attribute("dilations", [2, 2])])
    #expect(try pool.evaluate()[0] == Tensor([5], shape: [1, 1, 1, 1]))
  }

  @Test func poolsNorms() throws {
    let pool = OperatorCase(
      "LpPool", opset: 18, [.counting(1, 1, 6)],
      [
        Attribute("kernel_shape", [3]), Attribute("strides", [2]), Attribute("pads", [1, 1]),
        Attribute("ceil_mode", 1),
      ])
    #expect(isClose(try pool.evaluate()[0].floats, [2.236068, 5.3851647, 8.774964, 6]))
  }

  @Test func poolsWholePlanes() throws {
    let x = ValueFacts.counting(1, 2, 2, 2)
    let average = OperatorCase("GlobalAveragePool", [x])
    #expect(try average.evaluate()[0] == Tensor([2.5, 6.5], shape: [1, 2, 1, 1]))
    #expect(try average.relations().prefix(2) == ["X0.0 = Y0.0", "X0.1 = Y0.1"])
    #expect(try OperatorCase("GlobalMaxPool", [x]).evaluate()[0].floats == [4, 8])
    let norm = OperatorCase("GlobalLpPool", [x], [Attribute("p", 1)])
    #expect(try norm.evaluate()[0].floats == [10, 26])
    #expect(OperatorCase("GlobalLpPool", [x], [Attribute("p", 0)]).refusal() == "p is 0")
    #expect(OperatorCase("GlobalMaxPool", [.float(3)]).refusal() == "X has 1 axes")
  }

  @Test func unpoolsToWhatWasPooled() throws {
    let offsets = ValueFacts(constant: Tensor([0, 2, 11, 13] as [Int], shape: [1, 1, 2, 2]))
    let attributes = [Attribute("kernel_shape", [2, 2]), Attribute("strides", [2, 2])]
    let unpool = OperatorCase(
      "MaxUnpool", [.counting(1, 1, 2, 2), offsets, .integers(1, 1, 4, 5)], attributes)
    let y = try unpool.evaluate()[0]
    #expect(y.shape == [1, 1, 4, 5])
    #expect(y.floats[0] == 1 && y.floats[2] == 2 && y.floats[11] == 3 && y.floats[13] == 4)
    let outside = OperatorCase(
      "MaxUnpool",
      [.counting(1, 1, 1, 1), ValueFacts(constant: Tensor([4] as [Int], shape: [1, 1, 1, 1]))],
      attributes)
    #expect(throws: CompileError.self) { try outside.evaluate() }
  }

  /// As onnxruntime reads it.
  @Test(arguments: [-1, 0, 2]) func roundsUpForOneAlone(mode: Int) throws {
    let attributes = [
      Attribute("kernel_shape", [3]), Attribute("strides", [2]), Attribute("ceil_mode", mode),
    ]
    #expect(try OperatorCase("MaxPool", [.float(1, 1, 4)], attributes).shape() == "1 1 1")
  }
}
