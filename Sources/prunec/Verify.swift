import ArgumentParser
import Foundation
import PrunecCommandLineSupport
import PrunecGraphIR
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// `prunec verify A B`: whether two models compute the same.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run two models on the same inputs and compare their outputs.",
    discussion: "Ends with exit code 1 where an output differs by more than the tolerance.")

  @Argument(help: "The model that is right.")
  var expected: String

  @Argument(help: "The model that is compared with it.")
  var actual: String

  @OptionGroup(title: "Inputs")
  var inputs: InputOptions

  @OptionGroup(title: "Execution")
  var execution: ExecutionOptions

  @Option(help: "The largest difference allowed, as a share of the largest element of the output.")
  var tolerance: Double = 1e-3

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  @OptionGroup(title: "Memory")
  var memory: MemoryOptions

  func validate() throws {
    guard tolerance.isFinite, tolerance >= 0 else {
      throw ValidationError("--tolerance must be a number that is not negative")
    }
  }

  func run() throws {
    let (a, b) = (try execution.load(expected), try execution.load(actual))
    let tensors = try inputs.tensors(for: a.graph)
    let results = try [(expected, a.session), (actual, b.session)].map { path, session in
      try LocatedError.at(path) { () throws(CompileError) in try session.run(tensors) }
    }
    let names = a.session.outputs.map(\.name)
    guard results[0].count == results[1].count else {
      throw LocatedError(
        CompileError(
          .checkFailed,
          "has \(OutputText.counted(results[1].count, "output")) instead of \(results[0].count)"),
        in: actual)
    }
    for (name, (a, b)) in zip(names, zip(results[0], results[1]))
    where a.elementType != b.elementType || a.shape != b.shape {
      throw LocatedError(
        CompileError(
          .checkFailed,
          "output '\(name)' is \(b.elementType.name) \(b.shape) instead of "
            + "\(a.elementType.name) \(a.shape)"),
        in: actual)
    }
    let differences = zip(names, zip(results[0], results[1])).map {
      OutputDifference($0, expected: $1.0, actual: $1.1)
    }
    for (name, result) in zip(names, results[0]) where !Comparison.isConclusive([result]) {
      let warning = Diagnostic(
        .warning,
        "half or more of output '\(name)' is not finite: a comparison of it says nothing")
      ExitStatus.writeError([warning.rendered(file: expected)])
    }
    if json {
      print(try OutputText.json(differences))
    } else {
      var table = Table(["output", "max abs", "max rel", "cosine", "top-1"])
      for difference in differences { table.add(difference.row) }
      print(table.text)
    }
    let worst = differences.map(\.maxRelative).max() ?? 0
    guard worst <= tolerance else {
      throw LocatedError(
        CompileError(
          .checkFailed, "computes something else: relative difference \(OutputText.number(worst))"),
        in: actual)
    }
  }
}

/// How far one output of two models is apart.
struct OutputDifference: Encodable {
  var name: String
  var maxAbsolute: Double
  var maxRelative: Double
  /// Of the angle between the outputs as vectors.
  var cosine: Double?
  /// For how many rows along the last axis the largest element is at the same place.
  var top1Agreement: Double?

  private enum CodingKeys: String, CodingKey {
    case name, cosine
    case maxAbsolute = "max_absolute"
    case maxRelative = "max_relative"
    case top1Agreement = "top1_agreement"
  }

  init(_ name: String, expected: Tensor, actual: Tensor) {
    let comparison = Comparison([actual], expected: [expected])
    self.name = name
    maxAbsolute = comparison.maxAbsolute
    maxRelative = comparison.maxRelative
    guard expected.elementType.isFloatingPoint else { return }
    let (e, a) = (expected.floats.map(Double.init), actual.floats.map(Double.init))
    let norms = (e.reduce(0) { $0 + $1 * $1 } * a.reduce(0) { $0 + $1 * $1 }).squareRoot()
    if norms > 0, norms.isFinite { cosine = zip(e, a).reduce(0) { $0 + $1.0 * $1.1 } / norms }
    guard let classes = expected.shape.last, classes > 1, expected.rank >= 2 else { return }
    let rows = e.count / classes
    let agreeing = (0..<rows).count { row in
      let range = (row * classes)..<((row + 1) * classes)
      return range.max { e[$0] < e[$1] } == range.max { a[$0] < a[$1] }
    }
    top1Agreement = rows > 0 ? Double(agreeing) / Double(rows) : nil
  }

  var row: [String] {
    [
      name, OutputText.number(maxAbsolute), OutputText.number(maxRelative),
      cosine.map { String(format: "%.6f", $0) } ?? "",
      top1Agreement.map { String(format: "%.1f %%", $0 * 100) } ?? "",
    ]
  }
}
