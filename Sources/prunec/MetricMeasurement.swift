import PrunecCommandLineSupport
import PrunecDataSets
import PrunecDriver
import PrunecGraphIR
import PrunecRuntime
import PrunecTensors

/// Labelled samples that models are measured on by a metric.
struct MetricMeasurement {
  let metric: any Metric
  let batches: SampleBatches
  /// The paths of the model and the samples, for messages.
  let model: String
  let data: String
  let quiet: Bool

  /// Opens the samples at `data` for the inputs of `graph`. Throws a usage error where they have not the labels that the metric
  /// asks for.
  init(
    _ metric: any Metric, of model: String, _ graph: Graph, on data: String,
    _ options: DataOptions, seed: UInt64, batchSize: Int, quiet: Bool
  ) throws {
    (self.metric, self.model, self.data, self.quiet) = (metric, model, data, quiet)
    batches = try LocatedError.at(data) { () throws(CompileError) in
      var inputs = ModelInput.inputs(of: graph)
      if case .arrays(let names) = metric.labels {
        inputs += names.map { ModelInput(labels: $0) }
      }
      let set = try openDataSet(data, for: inputs, options: options.options)
      guard set.hasLabels || metric.labels != .classes else {
        throw CompileError(
          .usage,
          "has no labels: an archive has them as an array y of integers [N], images by lying in "
            + "sub-folders, one a class")
      }
      return try SampleBatches(
        set, inputs: inputs, choosing: options.samples, seed: seed, batchSize: batchSize)
    }
  }

  /// The metric of a session's model. Errors about the model name it, those about labels and samples name their file.
  func result(of session: Session) throws -> MetricResult {
    let progress = Progress(isQuiet: quiet)
    defer { progress.finish() }
    var (metric, items) = (metric, 0)
    for index in 0..<batches.count {
      let tensors = try LocatedError.at(data) { () throws(CompileError) in
        try batches.tensors(ofBatch: index)
      }
      let batch = try LocatedError.at(model) { () throws(CompileError) in
        try evaluated(tensors, ofBatch: index, by: session)
      }
      do throws(CompileError) {
        try metric.add(batch)
      } catch {
        throw LocatedError(error, in: error.kind == .malformed ? data : model)
      }
      items += batch.items.count
      progress.show("evaluate \(Progress.bar(Double(items) / Double(batches.itemCount)))")
    }
    progress.finish()
    let result = try LocatedError.at(model) { () throws(CompileError) in try metric.result() }
    if let caution = result.caution {
      ExitStatus.writeError([Diagnostic(.warning, caution).rendered(file: model)])
    }
    return result
  }

  /// Runs the model on the tensors of a batch, of which those behind the model's inputs are labels.
  private func evaluated(
    _ tensors: [Tensor], ofBatch index: Int, by session: Session
  ) throws(CompileError) -> EvaluatedBatch {
    let count = session.inputs.count
    let outputs = try session.run(Array(tensors.prefix(count)))
    var labels: [String: Tensor] = [:]
    for (input, tensor) in zip(batches.inputs, tensors).dropFirst(count) {
      labels[input.name] = tensor
    }
    if let classes = batches.labels(ofBatch: index) { labels["y"] = Tensor(classes) }
    return EvaluatedBatch(
      outputs: Array(zip(session.outputs.map(\.name), outputs)), labels: labels,
      items: batches.sampleIndices(ofBatch: index), size: tensors.first?.shape.first ?? 0)
  }
}
