import ArgumentParser
import Foundation
import PrunecArrayFiles
import PrunecGraphIR
import PrunecSemantics
import PrunecTensors

/// Statements about a model's inputs: arrays from files, and shapes.
package struct GivenInputOptions: ParsableArguments {
  @Option(
    name: .customLong("input"), parsing: .singleValue,
    help: ArgumentHelp(
      "An input: NAME=FILE.npy, or an archive FILE.npz with arrays of the inputs' names. Repeatable.",
      valueName: "NAME=FILE"))
  package var inputs: [String] = []

  @Option(
    name: .customLong("shape"), parsing: .singleValue,
    help: ArgumentHelp(
      "The shape of an input that is made up, such as x=1,3,224,224, or x= for a scalar. Repeatable.",
      valueName: "NAME=N,..."))
  package var shapes: [String] = []

  package init() {}

  package func validate() throws {
    for text in inputs where !Self.isArchive(text) { _ = try Self.namedFile(text, names: []) }
    _ = try sizes()
  }

  /// The files that the options may name: which sign ends a name is known with the model.
  package var files: [String] {
    archives
      + inputs.filter { !Self.isArchive($0) }.flatMap { text in
        text.indices.filter { text[$0] == "=" }.map { String(text[text.index(after: $0)...]) }
      }
  }

  /// What the options say of the inputs of `graph`.
  package func inputs(of graph: Graph) throws -> GivenInputs {
    let names = graph.inputs.map { graph[$0].name }
    let (given, sizes) = try (given(to: names), sizes())
    if let name = given.keys.sorted().first(where: { sizes[$0] != nil }) {
      throw ValidationError("input '\(name)' has an array, and a --shape too")
    }
    for name in (Array(given.keys) + Array(sizes.keys)).sorted() where !names.contains(name) {
      throw CompileError(
        .usage, "the model has no input '\(name)'; its inputs are \(names.joined(separator: ", "))")
    }
    return GivenInputs(arrays: given, shapes: sizes)
  }

  private var archives: [String] { inputs.filter(Self.isArchive) }

  private static func isArchive(_ text: String) -> Bool {
    text.hasSuffix(".npz") && !text.contains("=")
  }

  private func namedFiles(of names: [String]) throws -> [(name: String, path: String)] {
    var seen: Set<String> = []
    return try inputs.filter { !Self.isArchive($0) }.map { text in
      let (name, path) = try Self.namedFile(text, names: names)
      guard seen.insert(name).inserted else { throw Self.repetition(of: name, "--input") }
      return (name, path)
    }
  }

  /// The name and the file of `NAME=FILE`. Both may contain the sign: the longest of `names` is meant, and else what
  /// stands before the first.
  private static func namedFile(
    _ text: String, names: [String]
  ) throws -> (name: String, path: String) {
    let known = names.filter { text.hasPrefix($0 + "=") }.max { $0.count < $1.count }
    let end = known.map { text.index(text.startIndex, offsetBy: $0.count) }
    let (name, path) = try pair(text, at: end ?? text.firstIndex(of: "="), option: "--input")
    guard !path.isEmpty else {
      throw ValidationError("'\(text)' names no file; write --input NAME=FILE.npy")
    }
    return (name, path)
  }

  private func sizes() throws -> [String: [Int]] {
    var sizes: [String: [Int]] = [:]
    for text in shapes {
      // Extents have no sign, names may.
      let (name, list) = try Self.pair(text, at: text.lastIndex(of: "="), option: "--shape")
      let numbers = list.isEmpty ? [] : list.split(separator: ",", omittingEmptySubsequences: false)
      let extents = numbers.map { Int($0) }
      guard extents.allSatisfy({ $0 ?? -1 >= 0 }) else {
        throw ValidationError("'\(text)' is no shape; write --shape NAME=1,3,224,224")
      }
      guard sizes[name] == nil else { throw Self.repetition(of: name, "--shape") }
      sizes[name] = extents.map { $0! }
    }
    return sizes
  }

  /// The arrays from files. Of an archive, those that have the name of an input.
  private func given(to names: [String]) throws -> [String: Tensor] {
    var given: [String: Tensor] = [:]
    for path in archives {
      let archive = try LocatedError.at(path) { () throws(CompileError) in
        let archive = try ArrayFile.readArchive(path) { names.contains($0) }
        guard !archive.arrays.isEmpty || names.isEmpty else {
          let others = archive.names.isEmpty ? "none" : archive.names.joined(separator: ", ")
          throw CompileError(
            .usage,
            "has no array for an input of the model (\(names.joined(separator: ", "))), but \(others)"
          )
        }
        return archive
      }
      for (name, tensor) in archive.arrays.sorted(by: { $0.key < $1.key }) {
        guard given.updateValue(tensor, forKey: name) == nil else {
          throw Self.repetition(of: name, "--input")
        }
      }
    }
    for (name, path) in try namedFiles(of: names) {
      let tensor = try LocatedError.at(path) { () throws(CompileError) in
        try ArrayFile.read(path)
      }
      guard given.updateValue(tensor, forKey: name) == nil else {
        throw Self.repetition(of: name, "--input")
      }
    }
    return given
  }

  private static func repetition(of name: String, _ option: String) -> ValidationError {
    ValidationError("\(option) is given twice for '\(name)'")
  }

  private static func pair(
    _ text: String, at separator: String.Index?, option: String
  ) throws -> (String, String) {
    guard let separator, separator != text.startIndex else {
      throw ValidationError("'\(text)' has no name; write \(option) NAME=...")
    }
    return (String(text[..<separator]), String(text[text.index(after: separator)...]))
  }
}

/// Inputs that a model is run on: arrays from files, and made-up ones for the inputs that get none.
package struct InputOptions: ParsableArguments {
  @OptionGroup package var given: GivenInputOptions

  @Option(help: "The seed of inputs that are made up.")
  package var seed: UInt64 = 0

  package init() {}

  /// One tensor for each input of `graph`: as given, or made up of such a shape as `InputShapes` decides on.
  package func tensors(for graph: Graph) throws -> [Tensor] {
    let inputs = try given.inputs(of: graph)
    let known = inputs.shapes.merging(inputs.arrays.mapValues(\.shape)) { $1 }
    do throws(CompileError) {
      return try SeededInputs(seed: seed).tensors(
        for: graph, shapes: InputShapes(for: graph, given: known).extents, given: inputs.arrays)
    } catch {
      var usage = error
      usage.kind = .usage
      throw usage
    }
  }
}
