import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// An operand at which removed channels must be masked, for the masked graph to compute what the
/// shrunk one will.
package struct MaskPlace: Sendable {
  /// What tells masks apart: operands with the same key can share one.
  package struct Key: Hashable, Sendable {
    package let axis: Axis
    package let fill: Mask.Fill
    package let blocks: Int
    /// The integer that stands for zero.
    package let zero: Int

    package init(axis: Axis, fill: Mask.Fill, blocks: Int, zero: Int) {
      self.axis = axis
      self.fill = fill
      self.blocks = blocks
      self.zero = zero
    }
  }
  package let node: NodeID
  package let operand: Int
  package let key: Key

  /// All places of a graph of whose axes the indices `kept` stay, in order of execution.
  package static func all(
    in graph: Graph, _ facts: GraphFacts, _ kept: [Axis: [Int]]
  ) -> [MaskPlace] {
    var places: [MaskPlace] = []
    for id in graph.nodes {
      for relation in facts.relations(of: id) {
        guard let (reference, fill, blocks, zero) = relation.gathered else { continue }
        // What a constant is multiplied with is masked for it.
        let isCoefficient = if case .coefficient = relation { true } else { false }
        guard case .operand(let operand) = reference.slot, let value = graph[id].inputs[operand],
          isCoefficient || !facts.isFixed(value), kept[Axis(value, reference.axis)] != nil
        else { continue }
        let key = Key(
          axis: Axis(value, reference.axis), fill: fill, blocks: blocks, zero: zero)
        places.append(MaskPlace(node: id, operand: operand, key: key))
      }
    }
    return places
  }
}

extension Relation {
  /// The axis whose elements the node gathers, and what removed ones must be filled with.
  fileprivate var gathered: (axis: AxisReference, fill: Mask.Fill, blocks: Int, zero: Int)? {
    switch self {
    case .sum(let axis): (axis, .zero, 1, 0)
    case .coefficient(let axis, let zero): (axis, .zero, 1, zero)
    case .gathering(let axis, let fill, let blocks): (axis, fill, blocks, 0)
    default: nil
    }
  }
}
