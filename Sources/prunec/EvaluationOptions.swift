import ArgumentParser
import PrunecCommandLineSupport
import PrunecDataSets
import PrunecGraphIR

/// Labelled samples that the model is measured on before and after.
struct EvaluationOptions: ParsableArguments {
  @Option(
    name: .customLong("eval"),
    help: ArgumentHelp(
      "Labelled samples on which accuracy is measured before and after, as evaluate takes them.",
      valueName: "path"))
  var path: String?

  @OptionGroup
  var metric: MetricOptions

  private static let batchSize = 32

  /// Opens the samples for a model; `nil` where none are given. How samples are made of images follows `data`.
  func measurement(
    of model: String, _ graph: Graph, _ data: DataOptions, seed: UInt64, quiet: Bool
  ) throws -> MetricMeasurement? {
    guard let path else { return nil }
    var data = data
    data.samples = nil
    return try MetricMeasurement(
      metric.metric(for: graph), of: model, graph, on: path, data, seed: seed,
      batchSize: Self.batchSize, quiet: quiet)
  }
}

extension MetricMeasurement {
  /// Number of the samples that are among those of `calibration` or have the numbers `others`, too.
  func overlap(with calibration: SampleBatches?, _ others: [UInt64] = []) throws -> Int {
    guard calibration != nil || !others.isEmpty else { return 0 }
    return try LocatedError.at(data) { () throws(CompileError) in
      let known = try calibration?.fingerprints() ?? []
      return try batches.fingerprints().intersection(known.union(others)).count
    }
  }
}
