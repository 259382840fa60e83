import CommandLineSupport
import DataSets
import Runtime

/// Labelled samples that the model is measured on before and after.
struct EvaluationOptions: ParsableArguments {
  @Option(
    name: .customLong("eval"),
    help: ArgumentHelp(
      "Labelled samples on which accuracy is measured before and after, as evaluate takes them.",
      valueName: "path"))
  var path: String?

  private static let batchSize = 32

  /// The accuracy of both models; `nil` where no samples are given. How samples are made of images follows `data`.
  func report(
    _ original: Graph, _ pruned: Graph, model: String, calibration: SampleBatches?,
    _ data: DataOptions, seed: UInt64, quiet: Bool
  ) throws -> AccuracyReport? {
    guard let path else { return nil }
    var data = data
    data.samples = nil
    let batches = try LabelledSamples.open(
      path, for: original, data, seed: seed, batchSize: Self.batchSize)
    let measurement = AccuracyMeasurement(quiet: quiet)
    let shared = try LocatedError.at(path) { () throws(CompileError) in
      guard let calibration else { return 0 }
      return try batches.fingerprints().intersection(calibration.fingerprints()).count
    }
    return AccuracyReport(
      before: try measurement.accuracy(
        of: Session(original), model: model, on: batches, data: path),
      after: try measurement.accuracy(of: Session(pruned), model: model, on: batches, data: path),
      sharedWithCalibration: shared)
  }
}
