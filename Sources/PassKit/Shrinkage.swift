import PrunecGraphIR
import PrunecTensors

/// What stays of every axis of the graph that channels were taken out of, counted as before the first
/// cut.
package struct Shrinkage: Sendable {
  /// By axis of the graph.
  package private(set) var keptIndices: [Axis: [Int]] = [:]
  /// By axis of the original's constants, those included that passes have merged into others. An axis
  /// of which no one cut can be told is missing: where one constant has become several, and these
  /// were cut differently.
  package private(set) var keptOfOriginal: [Axis: [Int]] = [:]
  /// The last cut by itself, counted as right before it.
  package private(set) var lastCut: [Axis: [Int]] = [:]
  private var disputed: Set<Axis> = []

  package init() {}

  /// Adds a further cut of `graph`, whose indices count what the cuts before it left.
  package mutating func append(_ kept: [Axis: [Int]], of graph: Graph) {
    lastCut = kept
    keptIndices = keptIndices.cut(to: kept)
    var cuts: [Axis: [Int]?] = [:]
    for axis in Self.constantAxes(of: graph) {
      for origin in graph.origins(of: axis) {
        if let other = cuts[origin.axis], other != kept[axis] { disputed.insert(origin.axis) }
        cuts[origin.axis] = .some(kept[axis])
      }
    }
    for case (let axis, let now?) in cuts where !disputed.contains(axis) {
      keptOfOriginal[axis] = keptOfOriginal[axis].map { before in now.map { before[$0] } } ?? now
    }
    for axis in disputed { keptOfOriginal[axis] = nil }
  }

  /// The axes of all constants that are in use.
  private static func constantAxes(of graph: Graph) -> [Axis] {
    graph.initializers.filter { !graph[$0].uses.isEmpty }.flatMap { id in
      (0..<(graph[id].constant?.rank ?? 0)).map { Axis(id, $0) }
    }
  }
}

extension [Axis: [Int]] {
  /// The indices that stay of each axis after a further cut, whose indices count what is left by this one.
  package func cut(to kept: [Axis: [Int]]) -> [Axis: [Int]] {
    merging(kept) { before, now in now.map { before[$0] } }
  }
}
