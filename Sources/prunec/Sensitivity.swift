import ArgumentParser
import Foundation
import PrunecCommandLineSupport
import PrunecCoupling
import PrunecDriver
import PrunecFiles
import PrunecGraphIR
import PrunecPasses
import PrunecSelection

/// `prunec sensitivity MODEL`: what cutting each group of channels alone does to the outputs.
struct SensitivityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sensitivity",
    abstract: "Measure what cutting each group of channels alone does to the outputs.",
    discussion: """
      Each group is cut to several widths, the layers behind make up for it, and the outputs are compared with the original's: \
      the divergence of class probabilities, or the squared change relative to the variance of other outputs. Without \
      --calibration that is on samples that are made up.
      """)

  @Argument(help: "The model (.onnx).")
  var model: String

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  @Option(help: ArgumentHelp("Draw the curves on a page of their own.", valueName: "file"))
  var html: String?

  @Option(CoupleChannels.direction) var direction: SplitDirection

  @Option(ScoreChannels.seed) var seed: Int

  @Flag(name: [.customShort("q"), .long], help: "No progress on standard error.")
  var quiet = false

  @OptionGroup(title: "Samples")
  var calibration: CalibrationOptions

  @OptionGroup(title: "Inputs")
  var inputs: GivenInputOptions

  @OptionGroup(title: "Memory")
  var memory: MemoryOptions

  func run() throws {
    let file = try LocatedError.at(model) { () throws(CompileError) in try ModelFile(model) }
    var files = CommandFiles(
      reading: file.sourceFiles,
      inputs.files + calibration.statistics + [calibration.path].compactMap { $0 })
    if let html { try files.write(html) }
    var options = PruneOptions()
    try calibration.apply(to: &options)
    (options.direction, options.seed) = (direction, seed)
    options.inputs = try inputs.inputs(of: file.model.graph)
    let samples = try calibration.batches(for: file.model.graph, seed: UInt64(seed))
    options.scope = .individual
    let (stored, notes) = try calibration.settle(&options, samples)
    let progress = Progress(isQuiet: quiet)
    defer { progress.finish() }
    let sensitivity = try LocatedError.at(model) { () throws(CompileError) in
      try Sensitivity(
        of: file.model, options, calibration: samples?.fit, stored: stored, progress: progress.show,
        passProgress: progress.advance)
    }
    progress.finish()
    let warnings = file.warnings + (samples?.warnings ?? []) + notes + sensitivity.warnings
    ExitStatus.writeError(warnings.map { $0.rendered(file: model) })
    if let html {
      try MappedFile.checkUnchanged()
      let page = SensitivityPage(sensitivity, title: file.model.graph.name).text
      try LocatedError.at(html) { () throws(CompileError) in try writeText(page, to: html) }
    }
    try files.print(json ? OutputText.json(sensitivity) : Self.text(of: sensitivity))
  }

  /// A table for people: the divergence at every fraction of the channels that was measured.
  private static func text(of sensitivity: Sensitivity) -> String {
    let widths = sensitivity.fractions.map { OutputText.number($0) }
    var table = Table(["group", "kind", "channels", "MACs"] + widths)
    for group in sensitivity.groups {
      table.add(
        [
          group.name, group.kind.rawValue, "\(group.channels)",
          OutputText.percent(group.macs, of: sensitivity.macs),
        ] + sensitivity.fractions.map { OutputText.divergence(group.divergence(keeping: $0)) })
    }
    return "divergence of the outputs where one group alone keeps a fraction of its channels, on "
      + sensitivity.sampleText + "\n\n" + table.text
  }
}

extension OutputText {
  /// A divergence with three significant digits; a dash for none.
  static func divergence(_ value: Double?) -> String {
    value.map { String(format: "%.3g", $0) } ?? "-"
  }
}

extension Sensitivity {
  /// Number of samples that the outputs were compared on, and of which sort.
  var sampleText: String {
    source == .synthetic
      ? OutputText.counted(samples, "made-up sample") + " (--calibration takes real ones)"
      : OutputText.counted(samples, "sample")
  }
}
