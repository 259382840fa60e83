import Foundation
import PrunecCalibration
import PrunecCommandLineSupport
import PrunecDataSets
import PrunecDriver
import PrunecGraphIR
import PrunecPassKit
import PrunecRuntime
import PrunecSelection
import PrunecSemantics
import PrunecTensors

/// Pruning to the smallest model within a bound: the model is measured once, and cut to several budgets (`BoundSearch`).
struct BoundedPruning {
  let pruner: Pruner
  let bounds: BoundOptions
  let file: ModelFile
  /// The path of the model, for messages.
  let model: String
  let samples: CalibrationOptions.Samples?
  let evaluation: MetricMeasurement?
  /// The metric of the original.
  let before: MetricResult?

  /// A candidate's model, and its metric where that is bounded.
  private struct Trial {
    let cut: Pruner.Cut
    var candidate: BoundSearch.Candidate
    var metric: MetricResult?
  }

  /// Searches, and proves the model that is found. Also gives its metric, where there are labelled samples.
  func run() throws -> (Pruner.Result, MetricResult?) {
    var record = try bounds.resume.map { try CandidateFile($0, key()) }
    let measurement = try LocatedError.at(model) { () throws(CompileError) in
      try pruner.measure(file.model)
    }
    let macs = try LocatedError.at(model) { () throws(CompileError) in try measurement.macs() }
    var search = BoundSearch(bound, macs: macs)
    var smallest: Trial?
    while let budget = search.next {
      if let candidate = record?.candidate(budget: budget) {
        search.add(candidate)
        continue
      }
      let trial = try trial(measurement, budget)
      let candidate = trial.candidate
      search.add(candidate)
      try record?.add(candidate)
      if search.smallest == candidate, let trial = trial.trial { smallest = trial }
    }
    let best = try LocatedError.at(model) { () throws(CompileError) in try search.best() }
    let found =
      try smallest?.candidate == best ? smallest : trial(measurement, best.budget).trial
    guard let found else {
      throw LocatedError(
        CompileError(.usage, "a candidate in it cannot be repeated"), in: bounds.resume ?? model)
    }
    var result = try LocatedError.at(model) { () throws(CompileError) in
      try pruner.result(of: found.cut)
    }
    result.setBound(search.report(before: bounds.maxDrop == nil ? nil : before?.value))
    return (result, try found.metric ?? evaluation?.result(of: Session(found.cut.graph)))
  }

  private var bound: LossBound {
    if let limit = bounds.maxDrop, let metric = evaluation?.metric {
      return .drop(of: metric, limit)
    }
    return .divergence(bounds.maxDivergence ?? 0)
  }

  /// Cuts the measured model to a fraction of its MACs and measures what is lost. That it cannot be cut so far is a finding.
  private func trial(
    _ measurement: Pruner.Measurement, _ budget: Double
  ) throws -> (candidate: BoundSearch.Candidate, trial: Trial?) {
    let cut: Pruner.Cut
    do throws(CompileError) {
      cut = try pruner.cut(measurement, to: .macs(budget))
    } catch {
      guard error.kind == .checkFailed else { throw LocatedError(error, in: model) }
      return (.init(budget: budget, failure: error.diagnostics[0].message), nil)
    }
    var candidate = BoundSearch.Candidate(budget: budget)
    candidate.macs = try LocatedError.at(model) { () throws(CompileError) in try cut.macs() }
    var metric: MetricResult?
    if bounds.maxDrop != nil, let evaluation, let before {
      let after = try evaluation.result(of: Session(cut.graph))
      candidate.value = after.value
      candidate.loss = evaluation.metric.scale.loss(from: before.value, to: after.value)
      metric = after
    } else {
      let agreement = try LocatedError.at(model) { () throws(CompileError) in
        try pruner.agreement(of: cut)
      }
      guard let agreement else {
        throw LocatedError(
          CompileError(.usage, "--max-divergence needs samples: say --calibration"), in: model)
      }
      candidate.loss = agreement.divergence
    }
    return (candidate, Trial(cut: cut, candidate: candidate, metric: metric))
  }

  /// Identity of what is tried, for `--resume`.
  private func key() throws -> CandidateFile.Key {
    var data = Fingerprint()
    for samples in [samples?.fit, samples?.heldBack].compactMap({ $0 }) {
      data.add(
        try LocatedError.at(samples.path) { () throws(CompileError) in
          try samples.batches.fingerprint()
        })
    }
    if let stored = pruner.stored { data.add(stored.fingerprint) }
    if let evaluation {
      data.add(
        try LocatedError.at(evaluation.data) { () throws(CompileError) in
          try evaluation.batches.fingerprint()
        })
    }
    let distribution = pruner.options.inputDistribution
    let options = try LocatedError.at(model) { () throws(CompileError) in
      [
        try pruner.pipelineText(for: file.model),
        "\(try pruner.options.inputs.inputShapes(for: file.model.graph).extents.sorted { $0.key < $1.key })",
        distribution.map { "\($0.mean) \($0.deviation)" } ?? "",
      ]
    }
    return CandidateFile.Key(
      model: try file.fingerprint(of: model), data: data.text,
      options: options.joined(separator: "; "), measure: bound.measure)
  }
}
