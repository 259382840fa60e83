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

  @Option(
    name: .customLong("stats"), parsing: .upToNextOption,
    help: ArgumentHelp(
      """
      Files of 'prunec calibrate', one or more, which take the place of running the original on samples; their sums are added up.
      """, valueName: "file"))
  var statistics: [String] = []

  @Option(
    help: ArgumentHelp(
      "Part of the samples that nothing is fitted to: what is printed is measured on it.",
      valueName: "fraction"))
  var holdBack = 0.2

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
  static let defaultCount = 256
  private static let batchSize = 32
  /// With fewer samples none is held back.
  private static let fewest = 5

  func validate() throws {
    guard (0..<1).contains(holdBack) else {
      throw ValidationError("--hold-back must be at least 0 and below 1")
    }
    guard let numbers = inputStats?.numbers else { return }
    guard path == nil, statistics.isEmpty else {
      throw ValidationError("--input-stats is for pruning without --calibration and --stats")
    }
    guard numbers.count == 2, numbers[1] > 0 else {
      throw ValidationError("--input-stats takes a mean and a deviation above 0: 0.5,0.25")
    }
  }

  func apply(to options: inout PruneOptions) throws {
    options.samples = path != nil ? .given : (statistics.isEmpty ? .synthetic : .none)
    options.effort = effort
    if let numbers = inputStats?.numbers {
      options.inputDistribution = .init(mean: numbers[0], deviation: numbers[1])
    }
  }

  struct Samples {
    var fit: LocatedSamples
    var heldBack: LocatedSamples?
    var warnings: [Diagnostic]

    /// Number of samples, those that are held back included.
    var count: Int { fit.batches.itemCount + (heldBack?.batches.itemCount ?? 0) }
  }

  /// Tells `options` what the samples and the files of statistics hold. Gives these, put together, and what there is to say of them.
  @discardableResult
  func settle(
    _ options: inout PruneOptions, _ samples: Samples?
  ) throws -> (statistics: StoredStatistics?, diagnostics: [Diagnostic]) {
    if let samples { options.sampleCount = min(data.samples ?? Self.defaultCount, samples.count) }
    guard !statistics.isEmpty else { return (nil, []) }
    let files = try StatisticsFiles(statistics) { LocatedError($0, in: $1) }
    var diagnostics = try options.take(files.stored)
    if let heldBack = samples?.heldBack {
      let known = Set(files.stored.sums.samples)
      let shared = try SampleFingerprints.all(of: heldBack).count { known.contains($0) }
      if shared > 0 {
        diagnostics.append(
          Diagnostic(
            .warning,
            "\(shared) of the \(heldBack.batches.itemCount) samples held back are among those of --stats"
          ))
      }
    }
    return (files.stored, files.warnings + diagnostics)
  }

  /// The samples for a model; `nil` where none are asked for. `isPart` says that fewer than are asked for will do.
  func batches(for graph: Graph, seed: UInt64, isPart: Bool = false) throws -> Samples? {
    guard let path else { return nil }
    let inputs = ModelInput.inputs(of: graph)
    return try LocatedError.at(path) { () throws(CompileError) in
      let set = try openDataSet(path, for: inputs, options: data.options)
      let asked = data.samples ?? Self.defaultCount
      let count = isPart ? min(asked, set.count) : asked
      // Few samples make small batches: what is fitted on some is judged on others.
      let size = max(1, min(Self.batchSize, min(count, set.count) / 8))
      let all = try SampleBatches(
        set, inputs: inputs, choosing: count, seed: seed, batchSize: size)
      guard all.itemCount >= Self.fewest, holdBack > 0 else {
        return Samples(
          fit: LocatedSamples(batches: all, path: path), heldBack: nil, warnings: all.warnings)
      }
      let (fit, heldBack) = try all.split(heldBack: holdBack)
      return Samples(
        fit: LocatedSamples(batches: fit, path: path),
        heldBack: LocatedSamples(batches: heldBack, path: path), warnings: all.warnings)
    }
  }
}
