import ArgumentParser
import PrunecCommandLineSupport
import PrunecDriver
import PrunecFiles
import PrunecGraphIR
import PrunecONNXFormat
import PrunecRuntime

/// How a model is executed.
struct ExecutionOptions: ParsableArguments {
  @Option(help: "How many threads share the work; every processor's by default.")
  var threads: Int?

  func validate() throws {
    let counts = Session.threadCounts
    if let threads, !counts.contains(threads) {
      throw ValidationError(
        "--threads must be between \(counts.lowerBound) and \(counts.upperBound)")
    }
  }

  /// Reads a model and makes it ready to run.
  func load(_ path: String) throws -> (graph: Graph, session: Session, files: [FileIdentity]) {
    let file = try LocatedError.at(path) { () throws(CompileError) in try ModelFile(path) }
    let graph = try LocatedError.at(path) { () throws(CompileError) -> Graph in
      var graph = try file.model.inPlainForm().graph
      graph.unlistInitializers()
      return graph
    }
    let session = Session(graph, threadCount: threads ?? Session.processorCount)
    return (graph, session, file.sourceFiles)
  }
}
