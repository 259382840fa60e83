import ArgumentParser
import Foundation
import PrunecCalibration
import PrunecCommandLineSupport
import PrunecCoupling
import PrunecDataSets
import PrunecDriver
import PrunecFiles
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSelection

/// `prunec calibrate MODEL --calibration SET -o OUT.stats`: what pruning needs to know of samples, for a part of them.
struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sum up what layers read on samples, for pruning without them.",
    discussion: """
      Files of parts of the samples, made on any machines, are added up by --stats, which pruning takes in place of running the \
      original. With --stats it is the damage of cutting each group of channels that is measured on the samples, and goes to the \
      file: give the statistics of all parts. --samples is the number of samples of all parts together.
      """)

  @Argument(help: "The model (.onnx).")
  var model: String

  @Option(name: [.customShort("o"), .long], help: "Where the statistics, or the damage, go.")
  var output: String?

  @Option(CoupleChannels.direction) var direction: SplitDirection

  @Option(ScoreChannels.criterion, orElse: "obs")
  var criterion: (any ChannelCriterion)?

  @Option(ScoreChannels.seed) var seed: Int

  @Flag(help: "Print the pipeline's text and do nothing else.")
  var printPipeline = false

  @Flag(name: [.customShort("q"), .long], help: "Print nothing but warnings and errors.")
  var quiet = false

  @OptionGroup(title: "Samples")
  var calibration: CalibrationOptions

  @OptionGroup(title: "Inputs")
  var inputs: GivenInputOptions

  @OptionGroup(title: "Memory")
  var memory: MemoryOptions

  func validate() throws {
    guard calibration.path != nil else { throw ValidationError("say the samples: --calibration") }
    guard printPipeline || output?.isEmpty == false else {
      throw ValidationError("say with -o where the statistics go")
    }
  }

  func run() throws {
    let progress = Progress(isQuiet: quiet)
    defer { progress.finish() }
    let file = try LocatedError.at(model) { () throws(CompileError) in try ModelFile(model) }
    var files = CommandFiles(
      reading: file.sourceFiles, inputs.files + calibration.statistics + [calibration.path!])
    if let output, !printPipeline { try files.write(output) }
    var options = PruneOptions()
    try calibration.apply(to: &options)
    (options.direction, options.seed, options.criterion) = (direction, seed, criterion)
    options.scope = .individual
    options.inputs = try inputs.inputs(of: file.model.graph)
    options.sampleCount = calibration.data.samples ?? CalibrationOptions.defaultCount
    let found = try calibration.batches(
      for: file.model.graph, seed: UInt64(seed), isPart: true)
    guard let samples = found else { return }
    var (stored, notes): (StoredStatistics?, [Diagnostic]) = (nil, [])
    if !calibration.statistics.isEmpty {
      let files = try StatisticsFiles(calibration.statistics) { LocatedError($0, in: $1) }
      (stored, notes) = (files.stored, files.warnings)
    }
    var calibrator = Calibrator(options, samples.fit)
    (calibrator.progress, calibrator.passProgress) = (progress.show, progress.advance)
    if printPipeline {
      print(try calibrator.pipelineText(measuringDamage: stored != nil))
      return
    }
    let (result, warnings) = try LocatedError.at(model) { () throws(CompileError) in
      if let stored { return try calibrator.damage(of: file.model, with: stored) }
      return try calibrator.statistics(of: file.model)
    }
    try MappedFile.checkUnchanged()
    try LocatedError.at(output!) { () throws(CompileError) in try result.write(to: output!) }
    progress.finish()
    ExitStatus.writeError(
      (file.warnings + samples.warnings + notes + warnings).map { $0.rendered(file: model) })
    if !quiet { files.print(Self.text(of: result, samples)) }
  }

  private static func text(
    of file: StatisticsFile, _ samples: CalibrationOptions.Samples
  ) -> String {
    let held = samples.heldBack.map { ", \($0.batches.itemCount) held back" } ?? ""
    return switch file.contents {
    case .sums(let sums):
      "sums over \(OutputText.counted(sums.samples.count, "sample"))\(held)"
    case .damage(let damage, _):
      "damage of \(OutputText.counted(damage.groups.count, "group")) on "
        + "\(OutputText.counted(damage.sampleCount, "sample"))\(held)"
    }
  }
}
