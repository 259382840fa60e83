import ArgumentParser
import PrunecCalibration
import PrunecCommandLineSupport
import PrunecDataSets
import PrunecDriver
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses

/// The samples that pruning looks at.
struct CalibrationOptions: ParsableArguments {
  @Option(
    name: .customLong("calibration"),
    help: ArgumentHelp(
      """
      Samples to look at, without labels: an .npz or .npy file, a folder of those, of ONNX test data or of images.
      """, valueName: "path"))
  var path: String?

  @OptionGroup
  var data: DataOptions

  @Option(
    help: ArgumentHelp(
      """
      Mean and deviation of what the model's inputs usually hold, for samples that are made up without --calibration; \
      by default what the model's own normalization suggests, else 0,1.
      """, valueName: "mean,std"))
  var inputStats: NumberList?

  @Option(
    MeasureDamage.effort, orElse: "normal with --calibration, else quick")
  var effort: Effort?

  /// Number of samples where the options say none.
  private static let defaultCount = 256
  private static let batchSize = 32
  /// Part of the samples that no pass looks at.
  private static let heldBackFraction = 0.2
  /// With fewer samples none is held back.
  private static let fewest = 5

  func validate() throws {
    guard let numbers = inputStats?.numbers else { return }
    guard path == nil else {
      throw ValidationError("--input-stats is for pruning without --calibration")
    }
    guard numbers.count == 2, numbers[1] > 0 else {
      throw ValidationError("--input-stats takes a mean and a deviation above 0: 0.5,0.25")
    }
  }

  func apply(to options: inout PruneOptions) throws {
    options.samples = path == nil ? .synthetic : .given
    options.effort = effort
    if let numbers = inputStats?.numbers {
      options.inputDistribution = .init(mean: numbers[0], deviation: numbers[1])
    }
  }

  struct Samples {
    var fit: LocatedSamples
    var heldBack: LocatedSamples?
    var warnings: [Diagnostic]
  }

  /// The samples for a model; `nil` where none are asked for.
  func batches(for graph: Graph, seed: UInt64) throws -> Samples? {
    guard let path else { return nil }
    let inputs = ModelInput.inputs(of: graph)
    return try LocatedError.at(path) { () throws(CompileError) in
      let set = try openDataSet(path, for: inputs, options: data.options)
      let count = data.samples ?? Self.defaultCount
      // Few samples make small batches: what is fitted on some is judged on others.
      let size = max(1, min(Self.batchSize, min(count, set.count) / 8))
      let all = try SampleBatches(
        set, inputs: inputs, choosing: count, seed: seed, batchSize: size)
      guard all.itemCount >= Self.fewest else {
        return Samples(
          fit: LocatedSamples(batches: all, path: path), heldBack: nil, warnings: all.warnings)
      }
      let (fit, heldBack) = try all.split(heldBack: Self.heldBackFraction)
      return Samples(
        fit: LocatedSamples(batches: fit, path: path),
        heldBack: LocatedSamples(batches: heldBack, path: path), warnings: all.warnings)
    }
  }
}
