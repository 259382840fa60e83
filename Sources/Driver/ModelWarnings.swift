import Foundation
import PrunecCalibration
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// What a user should know about a model before reading figures about it.
enum ModelWarnings {
  /// Nodes that are not understood, but for those that run graphs of their own: all of them, or the first of each kind.
  static func unknownOperators(
    in graph: Graph, _ facts: GraphFacts, severity: Diagnostic.Severity
  ) -> [Diagnostic] {
    notUnderstood(graph, facts, severity) { ControlFlow($0, in: graph) == nil }
  }

  /// Nodes of a prepared graph that run graphs in which nothing is cut.
  static func uncutGraphs(
    in graph: Graph, _ facts: GraphFacts, severity: Diagnostic.Severity
  ) -> [Diagnostic] {
    notUnderstood(graph, facts, severity) { ControlFlow($0, in: graph) != nil }
  }

  private static func notUnderstood(
    _ graph: Graph, _ facts: GraphFacts, _ severity: Diagnostic.Severity,
    where isMeant: (NodeID) -> Bool
  ) -> [Diagnostic] {
    var seen: Set<String> = []
    return graph.nodes.filter(isMeant).compactMap { id in
      guard case .notUnderstood(let because) = facts.resolution(of: id),
        severity == .error || seen.insert(because).inserted
      else { return nil }
      return Diagnostic(
        severity, because, at: graph.location(of: id),
        notes: severity == .error ? [] : ["what it touches is not pruned"])
    }
  }

  /// Notes of the inputs whose usual mean and deviation are guessed.
  static func guessedDistributions(of graph: Graph) -> [Diagnostic] {
    graph.inputs.compactMap { input in
      guard let guess = SyntheticSamples.Distribution.guess(ofInput: input, in: graph) else {
        return nil
      }
      let figures = String(format: "mean %.3g and deviation %.3g", guess.mean, guess.deviation)
      return Diagnostic(
        .note,
        "made-up samples of input '\(graph[input].name)' have \(figures), as what first reads it suggests",
        notes: ["--input-stats MEAN,STD gives others"])
    }
  }

  /// What the MACs leave out or assume.
  static func cost(
    of graph: Graph, _ facts: GraphFacts, _ shapes: InputShapes
  ) -> [Diagnostic] {
    var warnings: [Diagnostic] = []
    let sized = GraphFacts.sized(graph, facts, by: shapes)
    let uncounted = graph.nodes.filter { id in
      let node = graph[id]
      let hasWeight = node.inputs.contains { input in
        input.flatMap { graph[$0].constant }.map { $0.rank >= 2 && $0.elementType.isParameter }
          ?? false
      }
      return hasWeight && node.outputs.contains { $0.map { sized[$0].shape == nil } ?? false }
    }
    if !uncounted.isEmpty {
      warnings.append(
        Diagnostic(
          .warning,
          "\(uncounted.count) node(s) with weights have results of unknown shape: their MACs are not "
            + "counted", at: graph.location(of: uncounted[0])))
    }
    guard !shapes.decided.isEmpty, shapes.decideCost(of: graph) else { return warnings }
    let list = shapes.decided.map { "\($0) \(shapes.extents[$0]!)" }.joined(separator: ", ")
    let advice = "--shape \(shapes.decided[0])=... gives other sizes"
    if let refusal = shapes.refusal {
      warnings.append(
        Diagnostic(
          .warning,
          "no sizes are known that the model admits where it leaves them open, and MACs are not counted "
            + "that depend on them: for \(list), \(refusal.message)", at: refusal.location,
          notes: [advice]))
    } else {
      warnings.append(
        Diagnostic(
          .warning, "MACs are counted for \(list), of which the model leaves sizes open",
          notes: [advice]))
    }
    return warnings
  }
}
