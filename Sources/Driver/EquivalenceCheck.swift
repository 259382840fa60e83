/// Runs two graphs on the same seeded inputs and compares what comes out.
public struct EquivalenceCheck: Sendable {
  /// `nil` if the graphs could not be run.
  public let comparison: Comparison?
  /// Why they could not.
  public let reasonNotRun: String?
  public let seconds: Double

  /// Throws a malformed-model error where the graphs cannot be run because they are wrong; that an
  /// operator is not understood is no error but a reason.
  public init(_ actual: Graph, expected: Graph, seed: UInt64) throws(CompileError) {
    let clock = ContinuousClock()
    let start = clock.now
    do {
      let inputs = try SeededInputs(seed: seed).tensors(for: expected)
      comparison = Comparison(
        try ReferenceEvaluator(actual).run(inputs),
        expected: try ReferenceEvaluator(expected).run(inputs))
      reasonNotRun = nil
    } catch where error.kind == .unsupported {
      comparison = nil
      reasonNotRun = error.diagnostics[0].rendered(file: nil)
    }
    seconds = (clock.now - start) / .seconds(1)
  }
}
