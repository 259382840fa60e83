/// Which indices stay of every initializer of the original model that is cut: what a training script
/// needs to slice its own checkpoint.
///
/// As JSON: `{"schema_version": 1, "initializers": {"conv1.weight": {"0": [0, 2, 5], "1": [1, 3]}}}`, for each
/// initializer by axis the indices kept, in increasing order.
public struct SlicingPlan: Sendable, Encodable {
  public let schemaVersion = 1
  /// By name of the initializer, then by axis.
  public let initializers: [String: [String: [Int]]]

  private enum CodingKeys: String, CodingKey {
    case schemaVersion = "schema_version"
    case initializers
  }

  init(original: Graph, _ shrinkage: Shrinkage?) {
    let kept = shrinkage?.keptOfOriginal ?? [:]
    var initializers: [String: [String: [Int]]] = [:]
    for axis in kept.keys.sorted() {
      guard let value = original.value(axis.value), value.constant != nil else { continue }
      initializers[value.name, default: [:]]["\(axis.index)"] = kept[axis]!
    }
    self.initializers = initializers
  }
}
