import ONNXText
import Runtime
import Testing

/// Operators whose kernels take more than one instruction, or several steps, against the reference.
@Suite struct OperatorTests {
  /// Runs a graph in both, and gives back the kernels of its steps.
  @discardableResult
  private func check(
    _ signature: String, _ body: String, _ inputs: [Tensor], opset: Int = 20,
    tolerance: Double = 1e-5
  ) throws -> [String] {
    let graph = try parseModel(
      """
      <ir_version: 8, opset_import: ["" : \(opset)]>
      main \(signature) { \(body) }
      """
    ).graph
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
  }
}
