import PrunecGraphIR
import PrunecPassKit
import PrunecTensors

/// Fate of the initializers of a pruned model, for a training script to slice its own checkpoint alike.
///
///     {"schema_version": 2,
///      "initializers": {"conv1.weight": {"0": [0, 2, 5], "1": [1, 3]}},
///      "changed": {"conv1.weight": "conv1.weight", "conv1.bias": null}}
///
/// `initializers` has for each initializer of the original that is cut, by axis, the indices kept, in increasing order.
/// `changed` has the names of all initializers of the small model whose values no slice of the original gives (folded,
/// compensated, adapted), each with the name of the one of the original that it stands for, `null` for one that is new.
public struct SlicingPlan: Sendable, Encodable {
  public let schemaVersion = 2
  /// By name of the initializer of the original, then by axis.
  public let initializers: [String: [String: [Int]]]
  /// By name of the initializer of the small model.
  public let changed: [String: String?]

  private enum CodingKeys: String, CodingKey {
    case schemaVersion = "schema_version"
    case initializers, changed
  }

  init(original: Graph, pruned: Graph, _ shrinkage: Shrinkage?) {
    let kept = shrinkage?.keptOfOriginal ?? [:]
    var initializers: [String: [String: [Int]]] = [:]
    for axis in kept.keys.sorted() {
      guard let value = original.value(axis.value), value.constant != nil else { continue }
      initializers[value.name, default: [:]]["\(axis.index)"] = kept[axis]!
    }
    self.initializers = initializers
    var changed: [String: String?] = [:]
    for id in pruned.initializers {
      guard let tensor = pruned[id].constant, !pruned[id].uses.isEmpty else { continue }
      let sources = Self.sources(of: id, tensor.rank, pruned).filter {
        original.value($0)?.constant != nil
      }
      let isSlice = sources.contains { source in
        let whole = original[source].constant!
        let axes = whole.shape.indices.compactMap { axis in
          kept[Axis(source, axis)].map { (axis, $0) }
        }
        return tensor.isSlice(of: whole, keeping: Dictionary(uniqueKeysWithValues: axes))
      }
      if !isSlice { changed[pruned[id].name] = .some(sources.first.map { original[$0].name }) }
    }
    self.changed = changed
  }

  /// The constants of the original that a constant stands for, axis by axis.
  private static func sources(of id: ValueID, _ rank: Int, _ graph: Graph) -> [ValueID] {
    guard rank > 0 else { return graph[id].isBuilt ? [] : [id] }
    let first = graph.origins(of: Axis(id, 0)).filter { $0.axis.index == 0 }.map(\.axis.value)
    return first.filter { source in
      (0..<rank).allSatisfy { axis in
        graph.origins(of: Axis(id, axis)).contains { $0.axis == Axis(source, axis) }
      }
    }
  }
}
