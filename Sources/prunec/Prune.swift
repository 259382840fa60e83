import CommandLineSupport
import Foundation

/// `prunec MODEL -o OUT`: the main job.
struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove channels from a model and write the smaller one.",
    discussion: """
      Channels that depend on each other are found and removed together. Without data, kept \
      channels take over for similar removed ones. The result is checked: the small model must \
      compute what the large one does with those channels masked.
      """)

  @Argument(help: "The model (.onnx).")
  var model: String

  @Option(name: [.customShort("o"), .long], help: "Where the smaller model goes.")
  var output: String

  @Flag(help: "Allow the output to replace the input.")
  var inPlace = false

  @OptionGroup(title: "How much")
  var amount: AmountOptions

  @OptionGroup(title: "What")
  var choice: ChoiceOptions

  @OptionGroup(title: "Output")
  var outputs: OutputOptions

  @OptionGroup(title: "Passes")
  var passes: PassOptions

  func run() throws {
    var options = PruneOptions()
    try amount.apply(to: &options)
    try choice.apply(to: &options)
    if passes.stopAfter != nil { options.check = false }
    if passes.printPipeline {
      print(try Pipeline(options.pipelineText))
      return
    }
    let progress = Progress(isQuiet: outputs.quiet)
    defer { progress.finish() }
    progress.show("read")
    let file = try LocatedError.at(model) { () throws(CompileError) in try ModelFile(model) }
    var exportOptions = ExportOptions(inPlace: inPlace, sourceFiles: file.sourceFiles)
    exportOptions.externalData = outputs.externalData ? .always : .automatic
    try refuseUnsuitableFiles(file)

    var pruner = Pruner(options)
    pruner.managerOptions = passes.managerOptions
    pruner.print = PassOptions.printGraph
    pruner.progress = progress.show
    var result = try LocatedError.at(model) { () throws(CompileError) in
      try pruner.prune(file.model)
    }
    progress.show("write")
    if let path = outputs.emitMasked {
      try LocatedError.at(path) { () throws(CompileError) in
        try exportModel(result.masked, to: path, options: ExportOptions())
      }
    }
    let written = try LocatedError.at(output) { () throws(CompileError) in
      try exportModel(result.model, to: output, options: exportOptions)
    }
    progress.finish()
    result.setSizes(before: file.byteCount, after: written)
    ExitStatus.writeError((file.warnings + result.warnings).map { $0.rendered(file: model) })
    if passes.timePasses {
      PassOptions.printTimes(result.report.passes.map { ($0.name, $0.seconds) })
    }
    try outputs.write(result)
  }

  /// Fails before any work where a file would replace the input or another one, or could not be
  /// written.
  private func refuseUnsuitableFiles(_ file: ModelFile) throws {
    for path in outputs.files + (inPlace ? [] : [output]) {
      guard let identity = FileIdentity(path: path), file.sourceFiles.contains(identity) else {
        continue
      }
      let advice = path == output ? "; say --in-place if that is meant" : ""
      throw LocatedError(CompileError(.usage, "the output is the input\(advice)"), in: path)
    }
    var targets: Set<String> = []
    for path in outputs.files + [output] {
      let url = URL(fileURLWithPath: path).standardizedFileURL
      guard targets.insert(url.path).inserted else {
        throw LocatedError(CompileError(.usage, "two outputs go to the same file"), in: path)
      }
      guard access(url.deletingLastPathComponent().path, W_OK) == 0 else {
        throw LocatedError(
          CompileError(.inputOutput, "cannot be written: \(String(cString: strerror(errno)))"),
          in: path)
      }
    }
  }
}

/// How much is to be removed.
struct AmountOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Fraction of the MACs to keep (default 0.5).", valueName: "fraction"))
  var macs: Double?

  @Option(help: ArgumentHelp("Fraction of the parameters to keep.", valueName: "fraction"))
  var params: Double?

  @Option(
    help: ArgumentHelp("Fraction of channels to remove in every group.", valueName: "fraction"))
  var ratio: Double?

  @Option(help: "Where channels are looked for: global or uniform.")
  var scope: Scope = .global

  @Option(
    help: ArgumentHelp("Round channel counts to multiples: auto or a number.", valueName: "n"))
  var align: String = "auto"

  @Option(help: ArgumentHelp("Most that a budget takes from a group.", valueName: "fraction"))
  var maxRatio: Double = Guards().maxRatio

  @Option(help: ArgumentHelp("Fewest channels a budget leaves in a group.", valueName: "n"))
  var minChannels: Int = Guards().minChannels

  @Option(help: ArgumentHelp("Keep groups whose names match whole.", valueName: "glob"))
  var keep: [String] = []

  @Option(
    help: ArgumentHelp("Remove this fraction of matching groups.", valueName: "glob=fraction"))
  var ratioFor: [String] = []

  func validate() throws {
    guard [macs, params, ratio].compactMap({ $0 }).count <= 1 else {
      throw ValidationError("give one of --macs, --params and --ratio")
    }
    for (name, value) in [("macs", macs), ("params", params), ("max-ratio", maxRatio)] {
      if let value, !(0...1).contains(value) {
        throw ValidationError("--\(name) \(value) is not a fraction from 0 to 1")
      }
    }
    if let ratio, !(0..<1).contains(ratio) {
      throw ValidationError("--ratio \(ratio) is not a fraction from 0 to below 1")
    }
    guard (1...1 << 20).contains(minChannels) else {
      throw ValidationError("--min-channels \(minChannels) is not a positive number")
    }
  }

  func apply(to options: inout PruneOptions) throws {
    if let macs { options.budget = .macs(macs) }
    if let params { options.budget = .parameters(params) }
    if let ratio { options.budget = .ratio(ratio) }
    options.scope = scope
    if align != "auto" {
      guard let multiple = Int(align), (1...1024).contains(multiple) else {
        throw ValidationError("--align \(align) is neither auto nor a number from 1 to 1024")
      }
      options.guards.alignment = .multiple(multiple)
    }
    options.guards.maxRatio = maxRatio
    options.guards.minChannels = minChannels
    options.guards.keep = keep
    for text in ratioFor {
      guard let equals = text.lastIndex(of: "="),
        let ratio = Double(text[text.index(after: equals)...]), (0..<1).contains(ratio)
      else { throw ValidationError("--ratio-for \(text) is not GLOB=FRACTION") }
      options.guards.ratios.append((String(text[..<equals]), ratio))
    }
  }
}

/// What is removed, and how it is made up for.
struct ChoiceOptions: ParsableArguments {
  @Option(help: "Importance of a channel: l1, l2, fpgm, bn-scale or random.")
  var criterion: Criterion = .l2

  @Option(help: "How removed channels are made up for: merge or none.")
  var compensate: Compensation = .merge

  @Option(help: "Which factor of a split axis is cut: inner (head dimensions) or outer (heads).")
  var direction: SplitDirection = .inner

  @Option(help: "Seed of everything random.")
  var seed: Int = 0

  @Flag(inversion: .prefixedNo, help: "Run the masked original and the small model and compare.")
  var check = true

  @Flag(help: "Refuse models with operators that are not understood.")
  var strict = false

  @Option(help: ArgumentHelp("Run this pipeline instead.", valueName: "pipeline"))
  var pipeline: String?

  func validate() throws {
    guard seed >= 0 else { throw ValidationError("--seed is negative") }
  }

  func apply(to options: inout PruneOptions) throws {
    options.criterion = criterion
    options.compensation = compensate
    options.direction = direction
    options.seed = seed
    options.check = check
    options.isStrict = strict
    options.pipeline = pipeline
  }
}

/// What is written besides the model.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print the report as JSON instead of a table.")
  var json = false

  @Option(help: ArgumentHelp("Write the report as JSON.", valueName: "file"))
  var report: String?

  @Option(
    help: ArgumentHelp("Write which indices stay of every cut initializer.", valueName: "file"))
  var plan: String?

  @Option(
    help: ArgumentHelp("Write the original with removed channels masked.", valueName: "file"))
  var emitMasked: String?

  @Flag(help: "Write large weights to a file of their own beside the output.")
  var externalData = false

  @Flag(name: [.customShort("q"), .long], help: "Print nothing but warnings and errors.")
  var quiet = false

  /// The files that are written besides the output.
  var files: [String] { [report, plan, emitMasked].compactMap { $0 } }

  func write(_ result: Pruner.Result) throws {
    if let report {
      let text = try OutputText.json(result.report)
      try LocatedError.at(report) { () throws(CompileError) in
        try OutputText.write(text, to: report)
      }
    }
    if let plan {
      let text = try OutputText.json(result.plan, pretty: false)
      try LocatedError.at(plan) { () throws(CompileError) in try OutputText.write(text, to: plan) }
    }
    if json {
      print(try OutputText.json(result.report))
    } else if !quiet {
      print(ReportTable(result.report).text)
    }
  }
}

extension Scope: ExpressibleByArgument {}
extension Criterion: ExpressibleByArgument {}
extension Compensation: ExpressibleByArgument {}
extension SplitDirection: ExpressibleByArgument {}
