import PrunecGraphIR
import PrunecOperators

extension Invocation {
  /// What the extents of a node's axes contradict in a relation; `nil` where they bear it out. Axes
  /// whose extent is no number are pinned, whatever is said of them.
  func contradiction(of relation: Relation) -> String? {
    switch relation {
    case .equal(let a, let b):
      guard let x = extent(a), let y = extent(b), x != y else { return nil }
      return "\(relation): \(x) is not \(y)"
    case .section(let part, let whole, let start, let step):
      guard let x = extent(part), let y = extent(whole), x > 0 else { return nil }
      let last = start + (x - 1) * step
      let isInside = (0..<y).contains(start) && (0..<y).contains(last)
      return isInside ? nil : "\(relation): \(start)...\(last) is not within \(y)"
    case .selection(let part, let whole, let indices):
      guard let x = extent(part), let y = extent(whole) else { return nil }
      let isInside = x == indices.count && indices.allSatisfy { (0..<y).contains($0) }
      return isInside ? nil : "\(relation): not within \(y), or not \(x)"
    case .split(let whole, let factors):
      let extents = factors.compactMap { extent($0) }
      guard let product = extent(whole), extents.count == factors.count else { return nil }
      return extents.reduce(1, *) == product ? nil : "\(relation): \(extents) is not \(product)"
    case .gathering(let axis, _, let blocks):
      guard let x = extent(axis), x % blocks != 0 else { return nil }
      return "\(relation): \(x) does not divide"
    case .pinned, .free, .extents, .sum, .coefficient: return nil
    }
  }

  private func extent(_ reference: AxisReference) -> Int? {
    let shape: [Dimension]?
    switch reference.slot {
    case .virtual: return reference.axis
    case .operand(let index): shape = self.shape(index)
    case .result(let index): shape = index < results.count ? results[index].shape : nil
    }
    guard let shape, reference.axis < shape.count else { return nil }
    return shape[reference.axis].fixedExtent
  }
}
