import PrunecCoupling
import PrunecDriver
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

/// Models that leave extents of their inputs open: what they cost, and what they are checked on.
@Suite struct OpenExtentTests {
  /// Reads lines of text: only a height of 48 to 95 becomes one row.
  private static let text = """
    main (float[N,3,H,W] x) => (float[N,M,10] y)
    <float[32,3,3,3] w1 = {...}, float[32,10] w2 = {...}, int64[1] two = {2}>
    {
      c = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w1)
      r = Relu (c)
      p = AveragePool <kernel_shape = [24, 1], strides = [24, 1]> (r)
      q = Squeeze (p, two)
      t = Transpose <perm = [0, 2, 1]> (q)
      y = MatMul (t, w2)
    }
    """

  private static func macs(height: Int, width: Int, channels: Int = 32) -> Int {
    height / 2 * (width / 2) * channels * 27 + width / 2 * channels * 10
  }

  @Test func oneCostEverywhere() throws {
    let model = try parseModel(Self.text)
    let inspection = try Inspection(of: model, direction: .inner)
    let report = try Pruner(halving()).prune(model).report
    #expect(inspection.macs == Self.macs(height: 48, width: 224))
    #expect(report.before.macs == inspection.macs)
    #expect(report.after.macs == Self.macs(height: 48, width: 224, channels: 16))
    #expect(report.inputShapes == ["x": [1, 3, 48, 224]])
    #expect(report.check.status == "passed")
    #expect(
      report.warnings == [
        "warning: MACs are counted for x [1, 3, 48, 224], of which the model leaves sizes open\n"
          + "note: --shape x=... gives other sizes"
      ])
  }

  @Test func givenShapesAreCounted() throws {
    let model = try parseModel(Self.text)
    let inputs = GivenInputs(shapes: ["x": [1, 3, 64, 320]])
    let inspection = try Inspection(of: model, direction: .inner, inputs: inputs)
    let report = try Pruner(halving { $0.inputs = inputs }).prune(model).report
    #expect(inspection.macs == Self.macs(height: 64, width: 320))
    #expect(report.before.macs == inspection.macs)
    #expect(report.warnings == [])
    #expect(inspection.warnings.isEmpty)
  }

  @Test func shapesThatTheModelRefuses() throws {
    for (shape, message) in [
      ([1, 3, 200, 224], "does not run on inputs of the shapes that are given"),
      ([3, 200, 224], "does not fit what the model declares: [N, 3, H, W]"),
    ] {
      let inputs = GivenInputs(shapes: ["x": shape])
      let error = #expect(throws: CompileError.self) {
        try Pruner(halving { $0.inputs = inputs }).prune(parseModel(Self.text))
      }
      #expect(error?.kind == .usage)
      #expect(error?.diagnostics[0].message.contains(message) == true)
    }
  }

  /// Sizes that no cost depends on need no word.
  @Test func sizesThatChangeNothing() throws {
    let model = try parseModel(
      """
      main (float[N,8,H,W] x) => (float[N,4] y) <float[8,32] w1 = {...}, float[32,4] w2 = {...}>
      {
        p = GlobalAveragePool (x)
        f = Flatten (p)
        h = MatMul (f, w1)
        y = MatMul (h, w2)
      }
      """)
    #expect(try Pruner(halving()).prune(model).warnings == [])
  }

  // MARK: The check

  /// A kernel that is larger than any sequence made up at first.
  @Test func largeKernels() throws {
    let model = try parseModel(
      """
      main (float[batch,samples] x) => (float[batch,4] y)
      <float[64,1,256] w1 = {...}, float[4,64,1] w2 = {...}, int64[1] one = {1}, int64[1] two = {2}>
      {
        u = Unsqueeze (x, one)
        c = Conv <strides = [128]> (u, w1)
        r = Relu (c)
        d = Conv (r, w2)
        y = ReduceMean <keepdims = 0> (d, two)
      }
      """)
    let report = try Pruner(halving()).prune(model).report
    #expect(report.check.status == "passed")
    #expect(report.inputShapes == ["x": [1, 256]])
  }

  /// Inside, the batch is one whatever the inputs declare.
  @Test func batchesOfOne() throws {
    let model = try parseModel(
      """
      main (float[N,8] x) => (float[1,4] y)
      <float[8,32] w1 = {...}, int64[2] shape = {1, 32}, float[32,4] w2 = {...}>
      {
        h = MatMul (x, w1)
        r = Reshape (h, shape)
        y = MatMul (r, w2)
      }
      """)
    #expect(try Pruner(halving()).prune(model).report.check.status == "passed")
  }

  /// What is given is run, and nothing else in its place.
  @Test func givenArraysAreRun() throws {
    let model = try parseModel(
      """
      main (int64[N] x) => (float[N,4] y)
      <float[8,32] table = {...}, float[32,4] w = {...}, int64[1] five = {5}>
      {
        i = Sub (x, five)
        h = Gather <axis = 0> (table, i)
        u = Relu (h)
        s = Shape (u)
        y = MatMul (u, w)
      }
      """)
    let array = Tensor([7, 12])
    let options = halving { $0.inputs = GivenInputs(arrays: ["x": array]) }
    #expect(try Pruner(options).prune(model).report.check.status == "passed")
    let outside = halving { $0.inputs = GivenInputs(arrays: ["x": Tensor([700])]) }
    let report = try Pruner(outside).prune(model).report
    #expect(report.check.status == "impossible")
    #expect(report.warnings.contains { $0.hasPrefix("warning: the result has not been checked: ") })
    let wrong = halving { $0.inputs = GivenInputs(arrays: ["x": Tensor([Float(1)], shape: [1])]) }
    let error = #expect(throws: CompileError.self) { try Pruner(wrong).prune(model) }
    #expect(
      error?.diagnostics[0].message == "the array is of type float, the model declares int64")
  }
}
