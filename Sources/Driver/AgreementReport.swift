import PrunecCalibration
import PrunecGraphIR
import PrunecRuntime

/// Closeness of a pruned model's outputs to the original's on samples.
public struct AgreementReport: Sendable, Encodable {
  /// Where samples come from.
  public enum Source: String, Sendable, Encodable {
    /// Given ones that no pass has looked at.
    case heldBack = "held-back"
    /// Those that the passes have looked at.
    case calibration
    /// Made-up ones.
    case synthetic
  }

  public let samples: Int
  public let source: Source
  /// Mean divergence of the outputs (`OutputDivergence`).
  public let divergence: Double
  /// Share of the samples for which both choose the same class; `nil` where the outputs are no classes.
  public let top1: Double?

  /// Runs both on all samples.
  init(
    original: Graph, pruned: Graph, _ batches: some CalibrationBatches, _ source: Source
  ) throws(CompileError) {
    let (before, after) = (Session(original), Session(pruned))
    var divergence = OutputDivergence()
    for batch in 0..<batches.count {
      let tensors = try batches.tensors(ofBatch: batch)
      divergence.add(
        try after.run(tensors), original: try before.run(tensors),
        sampleCount: batches.sampleCount(ofBatch: batch))
    }
    samples = batches.sampleCount
    self.source = source
    self.divergence = divergence.mean
    top1 = divergence.agreement
  }
}
