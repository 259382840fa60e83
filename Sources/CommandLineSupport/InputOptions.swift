import ArrayFiles
import Foundation

/// What a model is run on: arrays from files, and made-up ones for the inputs that get none.
public struct InputOptions: ParsableArguments {
  @Option(
    name: .customLong("input"), parsing: .singleValue,
    help: ArgumentHelp(
      "An input: NAME=FILE.npy, or an archive FILE.npz with arrays of the inputs' names. Repeatable.",
      valueName: "NAME=FILE"))
  public var inputs: [String] = []

  @Option(
    name: .customLong("shape"), parsing: .singleValue,
    help: ArgumentHelp(
      "The shape of an input that is made up, such as x=1,3,224,224. Repeatable.",
      valueName: "NAME=N,..."))
  public var shapes: [String] = []

  @Option(help: "The seed of inputs that are made up.")
  public var seed: UInt64 = 0

  public init() {}

  /// One tensor for each input of `graph`: as given, or made up. An extent that the model leaves open is 1 for a batch,
  /// 224 for images and 128 for sequences.
  public func tensors(for graph: Graph) throws -> [Tensor] {
    let names = graph.inputs.map { graph[$0].name }
    var given: [String: Tensor] = [:]
    for text in inputs {
      if text.hasSuffix(".npz"), !text.contains("=") {
        let archive = try LocatedError.at(text) { () throws(CompileError) in
          try ArrayFile.readArchive(text)
        }
        given.merge(archive) { $1 }
        continue
      }
      let (name, path) = try Self.pair(text, option: "--input")
      given[name] = try LocatedError.at(path) { () throws(CompileError) in try ArrayFile.read(path)
      }
    }
    var sizes: [String: [Int]] = [:]
    for text in shapes {
      let (name, list) = try Self.pair(text, option: "--shape")
      let extents = list.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      guard extents.allSatisfy({ $0 ?? -1 >= 0 }) else {
        throw ValidationError("'\(text)' is no shape; write --shape NAME=1,3,224,224")
      }
      sizes[name] = extents.map { $0! }
    }
    for name in (Array(given.keys) + Array(sizes.keys)).sorted() where !names.contains(name) {
      throw CompileError(
        .usage, "the model has no input '\(name)'; its inputs are \(names.joined(separator: ", "))")
    }
    let isComplete = names.allSatisfy { given[$0] != nil }
    let madeUp = isComplete ? [] : try Self.madeUp(graph, sizes, seed)
    return names.enumerated().map { index, name in given[name] ?? madeUp[index] }
  }

  private static func madeUp(
    _ graph: Graph, _ sizes: [String: [Int]], _ seed: UInt64
  ) throws(CompileError) -> [Tensor] {
    let shapes = graph.nominalShapes.merging(sizes) { $1 }
    return try SeededInputs(seed: seed).tensors(for: graph, shapes: shapes)
  }

  private static func pair(_ text: String, option: String) throws -> (String, String) {
    guard let separator = text.firstIndex(of: "="), separator != text.startIndex else {
      throw ValidationError("'\(text)' has no name; write \(option) NAME=...")
    }
    return (String(text[..<separator]), String(text[text.index(after: separator)...]))
  }
}
