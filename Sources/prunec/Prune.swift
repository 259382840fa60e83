import ArgumentParser
import Foundation
import PrunecCalibration
import PrunecCommandLineSupport
import PrunecDriver
import PrunecFiles
import PrunecGraphIR
import PrunecONNXFormat
import PrunecPassKit
import PrunecRuntime

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
  var output: String?

  @Flag(
    help: """
      Print what would be cut, and what the steps that run the model take, and write nothing; layers are not fitted.
      """)
  var dryRun = false

  @Flag(help: "Allow the output to replace the input.")
  var inPlace = false

  @OptionGroup(title: "How much")
  var amount: AmountOptions

  @OptionGroup(title: "How much it may lose")
  var bounds: BoundOptions

  @OptionGroup(title: "What")
  var choice: ChoiceOptions

  @OptionGroup(title: "Samples")
  var calibration: CalibrationOptions

  @OptionGroup(title: "Inputs")
  var inputs: GivenInputOptions

  @OptionGroup(title: "Evaluation")
  var evaluation: EvaluationOptions

  @OptionGroup(title: "Output")
  var outputs: OutputOptions

  @OptionGroup(title: "Passes")
  var passes: PassOptions

  @OptionGroup(title: "Memory")
  var memory: MemoryOptions

  func validate() throws {
    guard choice.iterations == 1 || outputs.emitMasked == nil else {
      throw ValidationError(
        "--emit-masked is for one cut: after several, the original with masks is not what the result was fitted as"
      )
    }
    guard bounds.isGiven else { return }
    guard !dryRun else {
      throw ValidationError("--dry-run goes with a budget, not with --max-drop or --max-divergence")
    }
    guard amount.macs == nil, amount.params == nil, amount.ratio == nil, amount.latency == nil,
      amount.peakMemory == nil
    else {
      throw ValidationError(
        "give one of --macs, --params, --ratio, --peak-memory, --latency, --max-drop and --max-divergence"
      )
    }
    guard bounds.maxDrop == nil || evaluation.path != nil else {
      throw ValidationError("--max-drop needs labelled samples: say --eval")
    }
    guard choice.pipeline == nil, !passes.printPipeline, passes.stopAfter == nil else {
      throw ValidationError(
        "--max-drop and --max-divergence look for a budget; --pipeline, --print-pipeline and --stop-after go with a given one"
      )
    }
  }

  func run() throws {
    var options = PruneOptions()
    try amount.apply(to: &options)
    choice.apply(to: &options)
    try calibration.apply(to: &options)
    bounds.apply(to: &options)
    if passes.stopAfter != nil { options.check = false }
    if passes.printPipeline {
      let file = try LocatedError.at(model) { () throws(CompileError) in
        try ModelFile(model, allowAbsentExternalData: true)
      }
      options.inputs = try inputs.inputs(of: file.model.graph)
      try calibration.settle(
        &options, try calibration.batches(for: file.model.graph, seed: UInt64(choice.seed)))
      print(try Pipeline(Pruner(options).pipelineText(for: file.model)))
      return
    }
    guard dryRun || output?.isEmpty == false else {
      throw ValidationError("say with -o where the smaller model goes")
    }
    let progress = Progress(isQuiet: outputs.quiet)
    defer { progress.finish() }
    progress.show("read")
    let file = try LocatedError.at(model) { () throws(CompileError) in try ModelFile(model) }
    let files = try files(file)
    options.inputs = try inputs.inputs(of: file.model.graph)

    let samples = try calibration.batches(for: file.model.graph, seed: UInt64(choice.seed))
    let (stored, notes) = try calibration.settle(&options, samples)
    var pruner = Pruner(options)
    pruner.stored = stored
    (pruner.calibration, pruner.heldBack) = (samples?.fit, samples?.heldBack)
    pruner.managerOptions = passes.managerOptions
    pruner.print = PassOptions.printGraph
    pruner.progress = {
      FreedMemory.giveBack()
      progress.show($0)
    }
    pruner.passProgress = progress.advance
    guard let output, !dryRun else {
      let forecast = try LocatedError.at(model) { () throws(CompileError) in
        try pruner.forecast(file.model)
      }
      progress.finish()
      let warnings = file.warnings + (samples?.warnings ?? []) + notes + forecast.warnings
      ExitStatus.writeError(warnings.map { $0.rendered(file: model) })
      print(outputs.json ? try OutputText.json(forecast) : ForecastTable(forecast).text)
      return
    }
    var result = try result(of: pruner, file, samples)
    progress.show("write")
    try write(&result, file, to: output)
    progress.finish()
    ExitStatus.writeError(
      (file.warnings + (samples?.warnings ?? []) + notes + result.warnings).map {
        $0.rendered(file: model)
      })
    if passes.timePasses {
      PassOptions.printTimes(result.report.passes.map { ($0.name, $0.seconds) })
    }
    try outputs.print(result, files)
    if result.report.check.status == "impossible" {
      ExitStatus.writeError([Self.advice(for: file.model.graph)])
      throw ExitStatus.unchecked
    }
  }

  /// Prunes the model, to the budget or within the bound, and measures it on labelled samples where there are any.
  private func result(
    of pruner: Pruner, _ file: ModelFile, _ samples: CalibrationOptions.Samples?
  ) throws -> Pruner.Result {
    let graph = file.model.graph
    let evaluation = try evaluation.measurement(
      of: model, graph, calibration.data, seed: UInt64(choice.seed), quiet: outputs.quiet)
    let shared =
      try evaluation?.overlap(with: samples?.fit.batches, pruner.stored?.sums.samples ?? []) ?? 0
    let before = try evaluation?.result(of: Session(graph))
    var (result, after): (Pruner.Result, MetricResult?)
    if bounds.isGiven {
      let search = BoundedPruning(
        pruner: pruner, bounds: bounds, file: file, model: model, samples: samples,
        evaluation: evaluation, before: before)
      (result, after) = try search.run()
    } else {
      result = try LocatedError.at(model) { () throws(CompileError) in
        try pruner.prune(file.model)
      }
      after = try evaluation?.result(of: Session(result.model.graph))
    }
    if let before, let after {
      result.setAccuracy(
        AccuracyReport(before: before, after: after, sharedWithCalibration: shared))
    }
    return result
  }

  /// Writes all files, and gives them their names when each of them is complete: the small model last.
  private func write(_ result: inout Pruner.Result, _ file: ModelFile, to output: String) throws {
    let masked = try outputs.emitMasked.map { path in
      try LocatedError.at(path) { () throws(CompileError) in
        try StagedModel(
          try result.masked(), for: path, options: ExportOptions(sourceFiles: file.sourceFiles))
      }
    }
    var options = ExportOptions(inPlace: inPlace, sourceFiles: file.sourceFiles)
    options.externalData = outputs.externalData ? .always : .automatic
    let small = try LocatedError.at(output) { () throws(CompileError) in
      try StagedModel(result.model, for: output, options: options)
    }
    result.setSizes(before: file.byteCount, after: small.byteCount)
    let texts = try outputs.stage(result)
    try MappedFile.checkUnchanged()
    for (path, text) in texts {
      try LocatedError.at(path) { () throws(CompileError) in try text.commit() }
    }
    if let masked, let path = outputs.emitMasked {
      try LocatedError.at(path) { () throws(CompileError) in try masked.commit() }
    }
    try LocatedError.at(output) { () throws(CompileError) in try small.commit() }
  }

  /// Advice where the check could not run.
  private static func advice(for graph: Graph) -> String {
    let arrays = graph.inputs.map { "--input \(graph[$0].name)=FILE.npy" }
    let shapes = graph.inputs.map { id in
      let axes = graph[id].tensorType?.shape.map { shape in
        shape.map { $0.fixedExtent.map(String.init) ?? "N" }.joined(separator: ",")
      }
      return "--shape \(graph[id].name)=\(axes ?? "N,...")"
    }
    return "note: the model has been written unchecked; pass inputs that it runs on "
      + "(\(arrays.joined(separator: " "))) or their shapes (\(shapes.joined(separator: " "))), "
      + "or --no-check where that is meant"
  }

  /// The files of this run. Fails before any work where one would replace the input or another one, or could not be
  /// written.
  private func files(_ file: ModelFile) throws -> CommandFiles {
    var files = CommandFiles(
      reading: file.sourceFiles,
      inputs.files + calibration.statistics
        + [calibration.path, evaluation.path, evaluation.metric.metric].compactMap { $0 })
    guard let output, !dryRun else { return files }
    try files.write(
      output, replaces: inPlace && file.sourceFiles.first == FileIdentity(path: output),
      advice: "choose another file, or say --in-place if that is meant")
    for path in outputs.files + [bounds.resume].compactMap({ $0 }) { try files.write(path) }
    if outputs.json, files.takesStandardOutput {
      throw LocatedError(
        CompileError(.usage, "goes to standard output, and so does --json"), in: output)
    }
    return files
  }
}
