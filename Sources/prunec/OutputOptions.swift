import ArgumentParser
import PrunecCommandLineSupport
import PrunecDriver
import PrunecFiles
import PrunecGraphIR

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

  @Flag(help: "Write large weights to a file of their own beside the output, OUT.<hash>.data.")
  var externalData = false

  @Flag(name: [.customShort("q"), .long], help: "Print nothing but warnings and errors.")
  var quiet = false

  /// The files that are written besides the output.
  var files: [String] { [report, plan, emitMasked].compactMap { $0 } }

  /// Writes the report and the plan, which are to be committed.
  func stage(_ result: Pruner.Result) throws -> [(path: String, file: OutputFile)] {
    var texts: [(path: String, text: String)] = []
    if let report { texts.append((report, try OutputText.json(result.report))) }
    if let plan { texts.append((plan, try OutputText.json(result.plan, pretty: false))) }
    return try texts.map { path, text in
      let file = try LocatedError.at(path) { () throws(CompileError) in
        try OutputFile(Array((text + "\n").utf8), for: path)
      }
      return (path, file)
    }
  }

  /// Prints the report.
  func print(_ result: Pruner.Result, _ files: CommandFiles) throws {
    if json {
      try files.print(OutputText.json(result.report))
    } else if !quiet {
      files.print(ReportTable(result.report).text)
    }
  }
}
