import Runtime

/// How close the outputs of a pruned model come to the original's on samples.
public struct AgreementReport: Sendable, Encodable {
  public let samples: Int
  /// Whether no pass has looked at the samples.
  public let isHeldBack: Bool
  /// Mean divergence of the outputs (`OutputDivergence`).
  public let divergence: Double
  /// Share of the samples for which both choose the same class; `nil` where the outputs are no classes.
  public let top1: Double?

  private enum CodingKeys: String, CodingKey {
    case samples, divergence, top1
    case isHeldBack = "held_back"
  }

  /// Runs both on all samples.
  init(
    original: Graph, pruned: Graph, _ batches: some CalibrationBatches, isHeldBack: Bool
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
    self.isHeldBack = isHeldBack
    self.divergence = divergence.mean
    top1 = divergence.agreement
  }
}
