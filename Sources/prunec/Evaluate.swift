import ArgumentParser
import Foundation
import PrunecCommandLineSupport
import PrunecDataSets
import PrunecDriver
import PrunecGraphIR

/// `prunec evaluate MODEL --data SET`: how often a classifier is right, or another metric.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the accuracy of a classifier, or another metric, on labelled data.",
    discussion: """
      The data is a folder of images whose sub-folders are classes, in the order of their names, or an .npz \
      archive of arrays called like the inputs (or 'x' for the one input) and class numbers 'y', all along \
      their first axis, or a folder of those. Metrics other than top-1 take labels from arrays.
      """)

  @Argument(help: "The model (.onnx).")
  var model: String

  @Option(help: "The data: an .npz archive, or a folder of those or of images.")
  var data: String

  @OptionGroup
  var metric: MetricOptions

  @OptionGroup(title: "Data")
  var dataOptions: DataOptions

  @Option(help: "The seed of the choice of --samples.")
  var seed: UInt64 = 0

  @Option(help: "How many items are run at once, where the model leaves it open.")
  var batch: Int = 32

  @OptionGroup(title: "Execution")
  var execution: ExecutionOptions

  @Flag(name: [.customShort("q"), .long], help: "No progress on standard error.")
  var quiet = false

  @Flag(help: "Print JSON instead of text.")
  var json = false

  @OptionGroup(title: "Memory")
  var memory: MemoryOptions

  func validate() throws {
    guard (1...65536).contains(batch) else {
      throw ValidationError("--batch must be between 1 and 65536")
    }
  }

  func run() throws {
    let loaded = try execution.load(model)
    let measurement = try MetricMeasurement(
      metric.metric(for: loaded.graph), of: model, loaded.graph, on: data, dataOptions,
      seed: seed, batchSize: batch, quiet: quiet)
    ExitStatus.writeError(measurement.batches.warnings.map { $0.rendered(file: data) })
    let report = try measurement.result(of: loaded.session)
    if json {
      print(try OutputText.json(report))
    } else {
      print("\(report.text) of \(report.items)")
    }
  }
}
