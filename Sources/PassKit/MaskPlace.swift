/// An operand at which removed channels must be masked, for the masked graph to compute what the
/// shrunk one will.
public struct MaskPlace: Sendable {
  /// What tells masks apart: operands with the same key can share one.
  public struct Key: Hashable, Sendable {
    public let axis: Axis
    public let fill: Mask.Fill

    public init(axis: Axis, fill: Mask.Fill) {
      self.axis = axis
      self.fill = fill
    }
  }
  public let node: NodeID
  public let operand: Int
  public let key: Key

  /// All places of a graph of whose axes the indices `kept` stay, in order of execution.
  public static func all(
    in graph: Graph, _ facts: GraphFacts, _ kept: [Axis: [Int]]
  ) -> [MaskPlace] {
    var places: [MaskPlace] = []
    for id in graph.nodes {
      for relation in facts.relations(of: id) {
        let reference: AxisReference
        let fill: Mask.Fill
        var meetsState = false
        switch relation {
        case .sum(let axis): (reference, fill) = (axis, .zero)
        case .normalization(let axis): (reference, fill) = (axis, .moments)
        case .recurrence(let axis): (reference, fill, meetsState) = (axis, .zero, true)
        default: continue
        }
        // A constant is masked by what it is multiplied with, unless that is not to be seen.
        guard case .operand(let operand) = reference.slot, let value = graph[id].inputs[operand],
          meetsState || graph[value].constant == nil, kept[Axis(value, reference.axis)] != nil
        else { continue }
        let key = Key(axis: Axis(value, reference.axis), fill: fill)
        places.append(MaskPlace(node: id, operand: operand, key: key))
      }
    }
    return places
  }
}
