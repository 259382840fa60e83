import CommandLineSupport
import DataSets
import Foundation
import Runtime

/// `prunec evaluate MODEL --data SET`: how often a classifier is right.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the accuracy of a classifier on labelled data.",
    discussion: """
      The data is a folder of images whose sub-folders are classes, in the order of their names, or an .npz \
      archive of arrays called like the inputs (or 'x' for the one input) and class numbers 'y', all along \
      their first axis, or a folder of those.
      """)

  @Argument(help: "The model (.onnx).")
  var model: String

  @Option(help: "The data: an .npz archive, or a folder of those or of images.")
  var data: String

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

  private struct Report: Encodable {
    var items: Int
    var top1: Double
    var top5: Double?
  }

  func validate() throws {
    guard (1...65536).contains(batch) else {
      throw ValidationError("--batch must be between 1 and 65536")
    }
  }

  func run() throws {
    let loaded = try execution.load(model)
    guard !loaded.session.outputs.isEmpty else {
      throw LocatedError(
        CompileError(.usage, "a classifier has an output, this has none"), in: model)
    }
    let batches = try LocatedError.at(data) { () throws(CompileError) in
      let inputs = ModelInput.inputs(of: loaded.graph)
      let set = try openDataSet(data, for: inputs, options: dataOptions.options)
      guard set.hasLabels else {
        throw CompileError(
          .usage,
          "has no labels: an archive has them as an array y of integers [N], images by lying in "
            + "sub-folders, one a class")
      }
      return try SampleBatches(
        set, inputs: inputs, choosing: dataOptions.samples, seed: seed, batchSize: batch)
    }
    ExitStatus.writeError(batches.warnings.map { $0.rendered(file: data) })
    let report = try evaluate(loaded.session, batches)
    if json {
      print(try OutputText.json(report))
    } else {
      let top5 = report.top5.map { String(format: ", top-5 %.2f %%", $0 * 100) } ?? ""
      print(String(format: "top-1 %.2f %%", report.top1 * 100) + top5 + " of \(report.items)")
    }
  }

  private func evaluate(_ session: Session, _ batches: SampleBatches) throws -> Report {
    let progress = Progress(isQuiet: quiet)
    defer { progress.finish() }
    var tally = Tally()
    for batch in 0..<batches.count {
      let tensors = try LocatedError.at(data) { () throws(CompileError) in
        try batches.tensors(ofBatch: batch)
      }
      let logits = try LocatedError.at(model) { () throws(CompileError) -> Tensor in
        let logits = try session.run(tensors)[0]
        guard logits.rank >= 2, logits.shape[0] == tensors[0].shape[0],
          logits.shape[1...].filter({ $0 != 1 }).count == 1, logits.count > 0
        else {
          throw CompileError(.usage, "its first output has shape \(logits.shape), not [N, classes]")
        }
        return logits
      }
      let labels = zip(batches.sampleIndices(ofBatch: batch), batches.labels(ofBatch: batch) ?? [])
      try LocatedError.at(data) { () throws(CompileError) in
        try tally.add(logits, Array(labels))
      }
      progress.show(Self.bar(tally.items, of: batches.itemCount))
    }
    progress.finish()
    if tally.undefined > 0 {
      let warning = Diagnostic(
        .warning,
        "\(tally.undefined) of \(tally.items) items have a score that is NaN, and count as wrong")
      ExitStatus.writeError([warning.rendered(file: model)])
    }
    return Report(
      items: tally.items, top1: Double(tally.right) / Double(tally.items),
      top5: tally.classes > 5 ? Double(tally.rightOfFive) / Double(tally.items) : nil)
  }

  /// How many items were right so far.
  private struct Tally {
    var (items, right, rightOfFive, undefined, classes) = (0, 0, 0, 0, 0)

    /// Counts the items of a batch by their scores `[N, classes]`, of which the first have the labels.
    ///
    /// Throws a malformed error for a label that is no class.
    mutating func add(_ logits: Tensor, _ labels: [(item: Int, label: Int)]) throws(CompileError) {
      classes = logits.shape[1...].reduce(1, *)
      let scores = logits.floats
      for (row, (item, label)) in labels.enumerated() {
        guard (0..<classes).contains(label) else {
          throw CompileError(
            .malformed, "label \(label) of item \(item) is none of \(classes) classes")
        }
        items += 1
        let own = Array(scores[(row * classes)..<((row + 1) * classes)])
        if own.contains(where: \.isNaN) {
          undefined += 1
          continue
        }
        // Ties go to the lower class, as everywhere.
        let better = (0..<classes).count {
          own[$0] > own[label] || (own[$0] == own[label] && $0 < label)
        }
        right += better == 0 ? 1 : 0
        rightOfFive += better < 5 ? 1 : 0
      }
    }
  }

  private static func bar(_ done: Int, of count: Int) -> String {
    let width = 30
    let filled = width * done / count
    return "[" + String(repeating: "=", count: filled)
      + String(repeating: " ", count: width - filled) + "] \(done)/\(count)"
  }
}
