/// An axis of one of a node's operands or results.
package struct AxisReference: Hashable, Sendable {
  package enum Slot: Hashable, Sendable {
    case operand(Int)
    case result(Int)
    /// An axis that no tensor has, such as the groups of a grouped convolution.
    case virtual(Int)
  }
  package let slot: Slot
  /// The axis, counted from the front; of a virtual one, its extent.
  package let axis: Int

  package static func operand(_ index: Int, axis: Int) -> AxisReference {
    AxisReference(slot: .operand(index), axis: axis)
  }

  package static func result(_ index: Int = 0, axis: Int) -> AxisReference {
    AxisReference(slot: .result(index), axis: axis)
  }
}

/// How the indices of a node's axes belong together when some are removed.
package enum Relation: Sendable {
  /// Index i of one is index i of the other.
  case equal(AxisReference, AxisReference)
  /// Index i of `part` is index `start + i * step` of `whole`.
  case section(part: AxisReference, whole: AxisReference, start: Int, step: Int)
  /// Index i of `part` is index `indices[i]` of `whole`.
  case selection(part: AxisReference, whole: AxisReference, indices: [Int])
  /// `whole` is the row-major product of `factors`, outermost first: what a Reshape that splits or
  /// merges axes does. It may be cut along one factor at a time.
  case split(whole: AxisReference, factors: [AxisReference])
  /// The axis may not be cut.
  case pinned(AxisReference, because: String)
  /// The axis may be cut, and no other axis of the node changes with it.
  case free(AxisReference)
  /// Element i of the node's first result is the extent of axis `first + i` of operand `operand`; no
  /// axis of that operand matters otherwise.
  case extents(operand: Int, first: Int)
  /// The node sums over the axis: an index whose elements are zero contributes nothing.
  case sum(AxisReference)
  /// The node gathers the elements along the axis into something else than a sum: nothing changes for
  /// it when indices are removed, as against the same elements replaced by `fill`. With `blocks` the
  /// axis is so many runs of equal length, each gathered by itself.
  case gathering(AxisReference, fill: Mask.Fill, blocks: Int)
  /// The node sums over the axis products of the operand with what no mask can take an index out of: its
  /// own state, or integers whose zero point is not known. Zeros of this operand do, so it is masked even
  /// where it is constant. `zero` is the integer that stands for zero in it.
  case coefficient(AxisReference, zero: Int)
}

extension Relation {
  /// The axes that the relation names.
  package var references: [AxisReference] {
    switch self {
    case .equal(let a, let b): [a, b]
    case .section(let part, let whole, _, _), .selection(let part, let whole, _): [part, whole]
    case .split(let whole, let factors): [whole] + factors
    case .pinned(let axis, _), .free(let axis), .sum(let axis), .gathering(let axis, _, _),
      .coefficient(let axis, _):
      [axis]
    case .extents: []
    }
  }
}

/// The relations of one node, as its operator states them. An axis that is not mentioned by any is
/// pinned, so what an operator forgets is safe.
package struct Relations: Sendable {
  package private(set) var list: [Relation] = []
  private var virtualCount = 0

  package init() {}

  package mutating func equal(_ a: AxisReference, _ b: AxisReference) { list.append(.equal(a, b)) }

  package mutating func section(
    _ part: AxisReference, of whole: AxisReference, start: Int, step: Int = 1
  ) {
    list.append(.section(part: part, whole: whole, start: start, step: step))
  }

  package mutating func selection(_ part: AxisReference, of whole: AxisReference, indices: [Int]) {
    list.append(.selection(part: part, whole: whole, indices: indices))
  }

  package mutating func split(_ whole: AxisReference, into factors: [AxisReference]) {
    list.append(.split(whole: whole, factors: factors))
  }

  package mutating func pin(_ axis: AxisReference, because reason: String) {
    list.append(.pinned(axis, because: reason))
  }

  package mutating func free(_ axis: AxisReference) { list.append(.free(axis)) }

  package mutating func readExtents(ofOperand operand: Int, firstAxis: Int) {
    list.append(.extents(operand: operand, first: firstAxis))
  }

  package mutating func sum(over axis: AxisReference) { list.append(.sum(axis)) }

  /// The node computes mean and variance over the axis (of each of `blocks` runs of it) and normalises.
  package mutating func normalize(over axis: AxisReference, blocks: Int = 1) {
    list.append(.gathering(axis, fill: .moments, blocks: blocks))
  }

  /// The node gathers the elements along the axis; ones that are `fill` change nothing.
  package mutating func gather(over axis: AxisReference, ignoring fill: Mask.Fill) {
    list.append(fill == .zero ? .sum(axis) : .gathering(axis, fill: fill, blocks: 1))
  }

  /// The node sums over the axis, and only this operand can be masked.
  package mutating func sum(overCoefficient axis: AxisReference, zero: Int = 0) {
    list.append(.coefficient(axis, zero: zero))
  }

  /// A new axis of `extent` that no tensor has.
  package mutating func virtualAxis(extent: Int) -> AxisReference {
    defer { virtualCount += 1 }
    return AxisReference(slot: .virtual(virtualCount), axis: extent)
  }
}
