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
      try ArrayFile.readArchive(data) { ["x", "y"].contains($0) }
    }
    let (x, y) = try LocatedError.at(data) { () throws(CompileError) in
      try Self.labelled(arrays)
    }
    let report = try evaluate(loaded.session, x, y)
    if json {
      print(try OutputText.json(report))
    } else {
      let top5 = report.top5.map { String(format: ", top-5 %.2f %%", $0 * 100) } ?? ""
      print(String(format: "top-1 %.2f %%", report.top1 * 100) + top5 + " of \(report.items)")
    }
  }

  /// The items and their labels.
  private static func labelled(
    _ archive: (arrays: [String: Tensor], names: [String])
  ) throws(CompileError) -> (x: Tensor, y: Tensor) {
    let needs = "needs arrays x [N, ...] and y [N] of integers"
    guard let x = archive.arrays["x"], let y = archive.arrays["y"] else {
      let names = archive.names.joined(separator: ", ")
      throw CompileError(
        .malformed, "\(needs), and has " + (names.isEmpty ? "no arrays" : "only \(names)"))
    }
    guard x.rank >= 1, y.rank == 1, y.elementType.isInteger else {
      throw CompileError(
        .malformed,
        "\(needs), and has x \(x.shape) of \(x.elementType.name), y \(y.shape) of "
          + y.elementType.name)
    }
    guard x.shape[0] == y.shape[0] else {
      throw CompileError(
        .malformed,
        "x has \(OutputText.counted(x.shape[0], "item")), y \(OutputText.counted(y.shape[0], "label"))"
      )
    }
    guard x.shape[0] > 0 else { throw CompileError(.malformed, "has no items") }
    return (x, y)
  }

  /// The items with the element type that the model takes, if it can express them. Floating point numbers are rounded
  /// to another floating point type.
  private func fitting(_ x: Tensor, to input: Session.Signature) throws(CompileError) -> Tensor {
    guard let type = input.type?.elementType, type != x.elementType else { return x }
    let converted = x.converted(to: type)
    if let converted, x.elementType.isFloatingPoint, type.isFloatingPoint { return converted }
    guard let converted, let exact = x.converted(to: .float64),
      let now = converted.converted(to: .float64),
      exact.array(of: Double.self) == now.array(of: Double.self)
    else {
      throw CompileError(
        .usage,
        "x is \(x.elementType.name), and input '\(input.name)' takes \(type.name), which cannot "
          + "express its elements")
    }
    return converted
  }

  private func evaluate(_ session: Session, _ x: Tensor, _ y: Tensor) throws -> Report {
    let count = x.shape[0]
    let type = session.inputs[0].type
    let size = type?.shape?.first?.fixedExtent ?? batch
    guard size > 0 else {
      throw LocatedError(CompileError(.usage, "takes batches of no items"), in: model)
    }
    let images = try LocatedError.at(data) { () throws(CompileError) in
      try fitting(x, to: session.inputs[0])
    }
    let labels = y.integers
    let progress = Progress(isQuiet: quiet)
    defer { progress.finish() }
    var (right, rightOfFive, classes, undefined) = (0, 0, 0, 0)
    for start in stride(from: 0, to: count, by: size) {
      let end = min(start + size, count)
      // A batch of a fixed size is filled up with the last item.
      let items = (start..<(start + size)).map { min($0, count - 1) }
      let open = type?.shape?.first?.fixedExtent == nil
      let part = images.keeping(open ? Array(start..<end) : items, alongAxis: 0)
      let logits = try LocatedError.at(model) { () throws(CompileError) -> Tensor in
        let logits = try session.run([part])[0]
        guard logits.rank >= 2, logits.shape[0] == part.shape[0],
          logits.shape[1...].filter({ $0 != 1 }).count == 1, logits.count > 0
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
              .malformed,
              "label \(Self.element(item, of: y)) of item \(item) is none of \(classes) classes"),
            in: data)
        }
        if scores[row..<(row + classes)].contains(where: \.isNaN) {
          undefined += 1
          continue
        }
        let own = scores[row + label]
        // Ties go to the lower class, as everywhere.
        let better = (0..<classes).count {
          scores[row + $0] > own || (scores[row + $0] == own && $0 < label)
        }
        right += better == 0 ? 1 : 0
        rightOfFive += better < 5 ? 1 : 0
      }
      progress.show(Self.bar(end, of: count))
    }
    progress.finish()
    if undefined > 0 {
      let warning = Diagnostic(
        .warning, "\(undefined) of \(count) items have a score that is NaN, and count as wrong")
      ExitStatus.writeError([warning.rendered(file: model)])
    }
    return Report(
      items: count, top1: Double(right) / Double(count),
      top5: classes > 5 ? Double(rightOfFive) / Double(count) : nil)
  }

  /// An integer as it is printed.
  private static func element(_ index: Int, of tensor: Tensor) -> String {
    tensor.elementType == .uint64
      ? "\(tensor.array(of: UInt64.self)[index])" : "\(tensor.integers[index])"
  }

  private static func bar(_ done: Int, of count: Int) -> String {
    let width = 30
    let filled = width * done / count
    return "[" + String(repeating: "=", count: filled)
      + String(repeating: " ", count: width - filled) + "] \(done)/\(count)"
  }
}
