/// Runs two graphs on the same seeded inputs and compares what comes out.
public struct EquivalenceCheck: Sendable {
  /// `nil` if the graphs could not be run.
  public let comparison: Comparison?
  /// Why they could not.
  public let reasonNotRun: String?
  public let seconds: Double

  /// Extents to try for axes (but the batch) whose extent the model leaves open: a network may need
  /// an image of some size.
  private static let freeExtents = [2, 32, 64, 224]

  /// Runs both graphs. That one cannot be run is no error but a reason.
  public init(_ actual: Graph, expected: Graph, seed: UInt64) {
    let clock = ContinuousClock()
    let start = clock.now
    var comparison: Comparison?
    var reason: String?
    let isOpen = expected.inputs.contains { input in
      expected[input].tensorType?.shape?.dropFirst().contains { $0.fixedExtent == nil } ?? false
    }
    for extent in Self.freeExtents.prefix(isOpen ? .max : 1) where comparison == nil {
      do {
        let inputs = try SeededInputs(seed: seed, freeExtent: extent).tensors(for: expected)
        let reference = try ReferenceEvaluator(expected).run(inputs)
        // Where the expected graph runs, one that does not is as wrong as can be.
        let outputs = (try? ReferenceEvaluator(actual).run(inputs)) ?? []
        comparison = Comparison(outputs, expected: reference)
      } catch {
        reason = reason ?? error.diagnostics[0].rendered(file: nil)
      }
    }
    self.comparison = comparison
    reasonNotRun = comparison == nil ? reason : nil
    seconds = (clock.now - start) / .seconds(1)
  }
}
