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

  init(original: Graph, _ context: PassContext) {
    let kept = context.shrinkage?.keptIndices ?? [:]
    /// What stays of an axis in each of the constants that its own has become; `nil` where that is all.
    var fates: [Axis: Set<[Int]?>] = kept.mapValues { [$0] }
    func fate(of axis: Axis) -> Set<[Int]?> {
      if let known = fates[axis] { return known }
      // What has been merged into others is not there any more.
      return context.maskedGraph?.value(axis.value)?.uses.isEmpty == false ? [nil] : []
    }
    // A constant may have been merged into one that was itself merged later: latest merges first.
    for follower in context.followers.reversed() {
      fates[follower.axis] = fate(of: follower.axis).union(fate(of: follower.follows))
    }
    var initializers: [String: [String: [Int]]] = [:]
    for (axis, fates) in fates.sorted(by: { $0.key < $1.key }) {
      // Where one constant has become several that are cut differently, there is no one slice of it.
      guard fates.count == 1, let indices = fates.first ?? nil,
        let value = original.value(axis.value), value.constant != nil
      else { continue }
      initializers[value.name, default: [:]]["\(axis.index)"] = indices
    }
    self.initializers = initializers
  }
}
