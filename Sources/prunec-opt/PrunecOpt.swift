import ArgumentParser
import PrunecCommandLineSupport
import PrunecFiles
import PrunecGraphIR
import PrunecONNXFormat
import PrunecONNXText
import PrunecOperators
import PrunecPassKit
import PrunecPasses

/// The developer's tool: runs passes on a model and prints the graph as text.
@main
struct PrunecOpt: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prunec-opt",
    abstract: "Run passes on a model (.onnx or ONNX's textual syntax) and print the result as text."
  )

  @Argument(help: "The model (.onnx, or .onnxtxt for text).")
  var model: String?

  @Option(name: .customLong("passes"), help: "The pipeline to run.")
  var pipeline = ""

  @Option(
    name: [.customShort("o"), .long],
    help: "Write here instead of standard output: a protobuf if it ends in .onnx, text otherwise.")
  var output: String?

  @Flag(help: "Print all elements of large constants.")
  var noElide = false

  @Flag(help: "Print every operator that is understood, with the versions of its operator set.")
  var listOperators = false

  @Flag(help: "Print every pass with its options, their ranges and defaults.")
  var helpPasses = false

  @OptionGroup(title: "Passes")
  var passes: PassOptions

  static func main() { ExitStatus.run(PrunecOpt.self) }

  func validate() throws {
    guard model != nil || listOperators || helpPasses else {
      throw ValidationError("give a model")
    }
  }

  func run() throws {
    guard let model, !listOperators, !helpPasses else {
      print(helpPasses ? PassHelp.text : Self.operatorList)
      return
    }
    let parsed = try Pipeline(pipeline)
    var manager = try PassManager(parsed, registry: allPasses, options: passes.managerOptions)
    if passes.printPipeline {
      print(parsed)
      return
    }
    manager.print = PassOptions.printGraph
    let file = try LocatedError.at(model) { () throws(CompileError) in try ModelFile(model) }
    var files = CommandFiles(reading: file.sourceFiles)
    if let output { try files.write(output) }
    var result = file.model
    var context = PassContext(original: result.graph, functions: result.functions)
    try LocatedError.at(model) { () throws(CompileError) in
      try manager.run(on: &result.graph, &context)
    }
    ExitStatus.writeError((file.warnings + context.warnings).map { $0.rendered(file: model) })
    if passes.timePasses { PassOptions.printTimes(manager.records.map { ($0.pass, $0.seconds) }) }
    let options: PrintOptions = noElide ? .complete : .readable
    guard let output else {
      print(printModel(result, options: options))
      return
    }
    try MappedFile.checkUnchanged()
    try LocatedError.at(output) { () throws(CompileError) in
      if output.hasSuffix(".onnx") {
        try exportModel(
          result, to: output, options: ExportOptions(sourceFiles: file.sourceFiles))
      } else {
        try writeText(printModel(result, options: options) + "\n", to: output)
      }
    }
  }

  /// A line for each operator: its name with that of its domain, and the first and last version.
  private static var operatorList: String {
    OperatorRegistry.all.map(\.signature)
      .map { "\($0.operation) \($0.opsets.lowerBound) \($0.opsets.upperBound)" }
      .sorted().joined(separator: "\n")
  }
}
