import ArrayFiles
import CommandLineSupport
import Foundation
import Runtime

/// `prunec evaluate MODEL --data SET.npz`: how often a classifier is right.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the accuracy of a classifier on labelled data.",
    discussion: """
      The archive holds the images or vectors as array 'x' and the class numbers as array 'y', both along \
      their first axis.
      """)

  @Argument(help: "The model (.onnx).")
  var model: String

  @Option(help: "The data: an .npz archive of x and y.")
  var data: String

  @Option(help: "How many items are run at once, where the model leaves it open.")
  var batch: Int = 32

  @OptionGroup(title: "Execution")
  var execution: ExecutionOptions

  @Flag(name: [.customShort("q"), .long], help: "No progress on standard error.")
  var quiet = false

  @Flag(help: "Print JSON instead of text.")
  var json = false

  private struct Report: Encodable {
    var items: Int
    var top1: Double
    var top5: Double?
  }

  func validate() throws {
    guard (1...65536).contains(batch) else {
      throw ValidationError("--batch must be between 1 and 65536")
    }
  }

  func run() throws {
    let loaded = try execution.load(model)
    guard loaded.session.inputs.count == 1, loaded.session.outputs.count >= 1 else {
      throw LocatedError(
        CompileError(.usage, "a classifier has one input, this has \(loaded.session.inputs.count)"),
        in: model)
    }
    let arrays = try LocatedError.at(data) { () throws(CompileError) in
      try ArrayFile.readArchive(data)
    }
    guard let x = arrays["x"], let y = arrays["y"], x.rank >= 1, y.rank == 1,
      x.shape[0] == y.shape[0], x.shape[0] > 0, y.elementType.isInteger
    else {
      throw LocatedError(
        CompileError(
          .malformed,
          "needs arrays x [N, ...] and y [N] of integers, and has "
            + arrays.sorted { $0.key < $1.key }
            .map { "\($0.key) \($0.value.shape) of \($0.value.elementType.name)" }
            .joined(separator: ", ")), in: data)
    }
    let report = try evaluate(loaded.session, x, y.integers)
    if json {
      print(try OutputText.json(report))
    } else {
      let top5 = report.top5.map { String(format: ", top-5 %.2f %%", $0 * 100) } ?? ""
      print(String(format: "top-1 %.2f %%", report.top1 * 100) + top5 + " of \(report.items)")
    }
  }

  private func evaluate(_ session: Session, _ x: Tensor, _ labels: [Int]) throws -> Report {
    let count = x.shape[0]
    let type = session.inputs[0].type
    let size = type?.shape?.first?.fixedExtent ?? batch
    let images = type?.elementType.flatMap { $0 == x.elementType ? x : x.converted(to: $0) } ?? x
    let progress = Progress(isQuiet: quiet)
    defer { progress.finish() }
    var (right, rightOfFive, classes) = (0, 0, 0)
    for start in stride(from: 0, to: count, by: size) {
      let end = min(start + size, count)
      // A batch of a fixed size is filled up with the last item.
      let items = (start..<(start + size)).map { min($0, count - 1) }
      let open = type?.shape?.first?.fixedExtent == nil
      let part = images.keeping(open ? Array(start..<end) : items, alongAxis: 0)
      let logits = try LocatedError.at(model) { () throws(CompileError) -> Tensor in
        let logits = try session.run([part])[0]
        guard logits.rank >= 2, logits.shape[0] == part.shape[0],
          logits.shape[1...].reduce(1, *) > 1
        else {
          throw CompileError(.usage, "its first output has shape \(logits.shape), not [N, classes]")
        }
        return logits
      }
      classes = logits.shape[1...].reduce(1, *)
      let scores = logits.floats
      for item in start..<end {
        let row = (item - start) * classes
        let label = labels[item]
        guard (0..<classes).contains(label) else {
          throw LocatedError(
            CompileError(
              .malformed, "label \(label) of item \(item) is none of \(classes) classes"),
            in: data)
        }
        let own = scores[row + label]
        // Ties go to the lower class, as everywhere.
        let better = (0..<classes).count {
          scores[row + $0] > own || (scores[row + $0] == own && $0 < label)
        }
        if own.isNaN { continue }
        right += better == 0 ? 1 : 0
        rightOfFive += better < 5 ? 1 : 0
      }
      progress.show(Self.bar(end, of: count))
    }
    return Report(
      items: count, top1: Double(right) / Double(count),
      top5: classes > 5 ? Double(rightOfFive) / Double(count) : nil)
  }

  private static func bar(_ done: Int, of count: Int) -> String {
    let width = 30
    let filled = width * done / count
    return "[" + String(repeating: "=", count: filled)
      + String(repeating: " ", count: width - filled) + "] \(done)/\(count)"
  }
}
