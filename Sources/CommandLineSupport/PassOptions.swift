import ArgumentParser
import Foundation
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit

/// Options for looking at what the passes do.
package struct PassOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Print the graph after this pass ('*' for all).", valueName: "pass"))
  package var printAfter: [String] = []

  @Option(help: ArgumentHelp("Stop after so many passes.", valueName: "n"))
  package var stopAfter: Int?

  @Flag(help: "Print how long each pass took.")
  package var timePasses = false

  @Flag(help: "Verify the graph after each pass.")
  package var verifyEach = false

  @Flag(help: "Run the graph before and after each pass that must not change it, and compare.")
  package var checkEach = false

  @Flag(help: "Print the pipeline's text and do nothing else.")
  package var printPipeline = false

  package init() {}

  package func validate() throws {
    if let stopAfter, stopAfter < 0 { throw ValidationError("--stop-after is negative") }
  }

  /// The options as the pass manager takes them.
  package var managerOptions: PassManager.Options {
    var options = PassManager.Options()
    options.printAfter = Set(printAfter)
    options.stopAfter = stopAfter
    options.verifyEach = verifyEach
    options.checkEach = checkEach
    return options
  }

  /// Prints a graph to standard error under a heading.
  package static func printGraph(_ pass: String, _ graph: Graph) {
    ExitStatus.writeError([
      "# after \(pass)", PrunecONNXText.printGraph(graph, options: .readable),
    ])
  }

  /// Prints a line for each pass to standard error.
  package static func printTimes(_ passes: [(name: String, seconds: Double)]) {
    for pass in passes {
      ExitStatus.writeError([String(format: "%10.3f ms  %@", pass.seconds * 1000, pass.name)])
    }
  }
}
