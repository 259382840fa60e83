import CommandLineSupport
import DataSets
import Runtime

/// Labelled samples for classifiers.
enum LabelledSamples {
  /// Opens the samples at `path` for a model. Throws a usage error where they have no labels.
  static func open(
    _ path: String, for graph: Graph, _ options: DataOptions, seed: UInt64, batchSize: Int
  ) throws -> SampleBatches {
    try LocatedError.at(path) { () throws(CompileError) in
      let inputs = ModelInput.inputs(of: graph)
      let set = try openDataSet(path, for: inputs, options: options.options)
      guard set.hasLabels else {
        throw CompileError(
          .usage,
          "has no labels: an archive has them as an array y of integers [N], images by lying in "
            + "sub-folders, one a class")
      }
      return try SampleBatches(
        set, inputs: inputs, choosing: options.samples, seed: seed, batchSize: batchSize)
    }
  }
}

/// Measures how often a classifier is right.
struct AccuracyMeasurement {
  let quiet: Bool

  /// The accuracy of a session's model on labelled samples. Errors name the files `model` and `data`.
  func accuracy(
    of session: Session, model: String, on batches: SampleBatches, data: String
  ) throws -> Accuracy {
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
      progress.show("evaluate \(Progress.bar(Double(tally.items) / Double(batches.itemCount)))")
    }
    progress.finish()
    if tally.undefined > 0 {
      let warning = Diagnostic(
        .warning,
        "\(tally.undefined) of \(tally.items) items have a score that is NaN, and count as wrong")
      ExitStatus.writeError([warning.rendered(file: model)])
    }
    return Accuracy(
      items: tally.items, top1: Double(tally.right) / Double(tally.items),
      top5: tally.classes > 5 ? Double(tally.rightOfFive) / Double(tally.items) : nil)
  }

  /// Number of items that were right so far.
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
}
