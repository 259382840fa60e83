import PrunecCalibration
import PrunecPassKit
import PrunecPasses

/// Statistics that were collected before, as reports tell it.
public struct StatisticsReport: Sendable, Encodable {
  /// Number of samples that were summed up, and of the parts that they were divided into.
  public let samples, parts: Int
  /// Number of samples that cutting single groups was measured on before; `nil` where that is not in the files.
  public let damageSamples: Int?
  /// Whether layers were fitted to what they read in the original, since there were no samples to run the small network on.
  public let fitIsSymmetric: Bool

  private enum CodingKeys: String, CodingKey {
    case samples, parts
    case damageSamples = "damage_samples"
    case fitIsSymmetric = "fit_is_symmetric"
  }

  init(_ stored: StoredStatistics, _ pipeline: Pipeline) {
    samples = stored.sums.samples.count
    parts = stored.parts.count
    damageSamples = stored.damage?.sampleCount
    fitIsSymmetric = pipeline.description.contains(RefitLayers.name)
  }
}
