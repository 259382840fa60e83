/// What a user should know about a model before reading figures about it.
enum ModelWarnings {
  /// Nodes that are not understood: all of them, or the first of each kind.
  static func unknownOperators(
    in graph: Graph, _ facts: GraphFacts, severity: Diagnostic.Severity
  ) -> [Diagnostic] {
    var seen: Set<String> = []
    return graph.nodes.compactMap { id in
      guard case .notUnderstood(let because) = facts.resolution(of: id),
        severity == .error || seen.insert(because).inserted
      else { return nil }
      return Diagnostic(
        severity, because, at: graph.location(of: id),
        notes: severity == .error ? [] : ["what it touches is not pruned"])
    }
  }

  /// What the MACs leave out or assume.
  static func cost(of graph: Graph, _ facts: GraphFacts) -> [Diagnostic] {
    var warnings: [Diagnostic] = []
    let uncounted = graph.nodes.filter { id in
      let node = graph[id]
      let hasWeight = node.inputs.contains { input in
        input.flatMap { graph[$0].constant }.map { $0.rank >= 2 && $0.elementType.isParameter }
          ?? false
      }
      return hasWeight && node.outputs.contains { $0.map { facts[$0].shape == nil } ?? false }
    }
    if !uncounted.isEmpty {
      warnings.append(
        Diagnostic(
          .warning,
          "\(uncounted.count) node(s) with weights have results of unknown shape: their MACs are not "
            + "counted", at: graph.location(of: uncounted[0])))
    }
    if graph.hasOpenInputs {
      warnings.append(
        Diagnostic(
          .warning,
          "MACs are counted for inputs of 224 by 224 (images) or 128 (sequences) where the model "
            + "leaves the size open"))
    }
    return warnings
  }
}
