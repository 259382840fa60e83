import Foundation
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors

/// A property that does not hold of a graph.
package struct BrokenProperty: Error, CustomStringConvertible {
  /// Which one; what else there is to say differs from graph to graph.
  package let property: String
  package let details: String

  package init(_ property: String, _ details: String) {
    self.property = property
    self.details = details
  }

  package var description: String { "not \(property): \(details)" }
}

/// What to say of a model made from `seed` for which `check` throws: the error, and as text the
/// smallest model that breaks the same property, to be kept as a fixture.
package func failureReport(
  of model: Model, seed: Int, in check: (Model) throws -> Void
) -> String? {
  do {
    try check(model)
    return nil
  } catch {
    let failure = kind(of: error)
    let isTame = isFinite(model, seed: seed)
    let text = reducedText(of: model) { candidate in
      // What is infinite or no number in between breaks properties of its own.
      guard !isTame || isFinite(candidate, seed: seed) else { return false }
      do {
        try check(candidate)
        return false
      } catch {
        return kind(of: error) == failure
      }
    }
    return """
      seed \(seed): \(error)
      As small as it gets, for \(ReducedGraph.folder)/NAME.onnxtxt:
      # seed: \(seed)
      \(text)
      """
  }
}

private func kind(of error: any Error) -> String {
  switch error {
  case let error as BrokenProperty: error.property
  case let error as CompileError: "\(error.kind)"
  default: "\(error)"
  }
}

private func isFinite(_ model: Model, seed: Int) -> Bool {
  do {
    let inputs = try SeededInputs(seed: UInt64(seed)).tensors(for: model.graph)
    let results = try ReferenceEvaluator(model.graph).run(inputs)
    return results.allSatisfy { $0.floats.allSatisfy(\.isFinite) }
  } catch {
    return false
  }
}

/// A small graph that is kept in `Fixtures/RandomGraphs`, to hold it against the properties of graphs.
///
/// A line `# seed: N` names the seed of inputs and scores with which it failed.
package struct ReducedGraph: Sendable, CustomStringConvertible {
  package static let folder = "Fixtures/RandomGraphs"

  package let name: String
  package let model: Model
  /// Every way to prune that seeds choose, and the one with which the graph was wrong.
  package let seeds: [Int]

  /// The graphs of all files, by name.
  package static func all() throws -> [ReducedGraph] {
    try FileManager.default.contentsOfDirectory(
      at: packageDirectory.appending(path: folder), includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "onnxtxt" }.sorted { $0.path < $1.path }.map(ReducedGraph.init)
  }

  private init(file: URL) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    name = file.deletingPathExtension().lastPathComponent
    model = try parseModel(text)
    let prefix = "# seed:"
    let seed = text.split(separator: "\n").first { $0.hasPrefix(prefix) }
      .flatMap { Int($0.dropFirst(prefix.count).filter { $0 != " " }) }
    seeds = Array(Set(0..<12).union(seed.map { [$0] } ?? [])).sorted()
  }

  package var description: String { name }
}
