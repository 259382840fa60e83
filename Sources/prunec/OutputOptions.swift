import ArgumentParser
import PrunecCommandLineSupport
import PrunecDriver
import PrunecGraphIR
import PrunecONNXFormat

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
        try writeText(text + "\n", to: report)
      }
    }
    if let plan {
      let text = try OutputText.json(result.plan, pretty: false)
      try LocatedError.at(plan) { () throws(CompileError) in try writeText(text + "\n", to: plan) }
    }
    if json {
      print(try OutputText.json(result.report))
    } else if !quiet {
      print(ReportTable(result.report).text)
    }
  }
}
