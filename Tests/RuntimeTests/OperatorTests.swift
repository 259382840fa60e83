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
}
