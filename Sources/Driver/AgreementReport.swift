import PrunecCalibration
import PrunecGraphIR
import PrunecRuntime
import PrunecTensors

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
    /// The inputs that the check runs on.
    case check
  }

  public let samples: Int
  public let source: Source
  /// Mean divergence of the outputs (`OutputDivergence`).
  public let divergence: Double
  /// Share of the samples for which both choose the same class; `nil` where the outputs are no classes.
  public let top1: Double?

  /// Of outputs on the inputs of the check, which are no samples to count classes on.
  init?(_ pruned: [Tensor], original: [Tensor]) {
    guard !original.isEmpty, pruned.count == original.count else { return nil }
    var divergence = OutputDivergence()
    divergence.add(pruned, original: original, sampleCount: 1)
    samples = 1
    source = .check
    self.divergence = divergence.mean
    top1 = nil
  }

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
