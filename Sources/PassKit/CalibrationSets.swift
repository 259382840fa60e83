import PrunecCalibration
import PrunecGraphIR

/// Samples by the keys that pipelines call them by.
public struct CalibrationSets: Sendable {
  /// The key of the samples that passes look at where a pipeline names none.
  public static let calibration = "calibration"

  /// The option by which passes are told which samples to look at.
  public static let option = PassOption(
    "data", .text, default: calibration, valueName: "key", help: "The key of the samples.")

  private var sets: [String: any CalibrationBatches] = [:]

  public init() {}

  public subscript(key: String) -> (any CalibrationBatches)? {
    get { sets[key] }
    set { sets[key] = newValue }
  }

  /// The samples of a key. Throws a usage error where there are none.
  public func batches(
    named key: String, for pass: String
  ) throws(CompileError) -> any CalibrationBatches {
    guard let batches = sets[key] else {
      throw CompileError(
        .usage, "\(pass) needs samples, and there are none called '\(key)'",
        notes: ["say --calibration FILE"])
    }
    return batches
  }
}
