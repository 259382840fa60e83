import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// A Mask node as passes see it.
package struct MaskNode: Sendable {
  package let node: NodeID
  /// What it masks, counted from the front.
  package let axis: Axis
  package let keep: [Int]
  package let fill: Mask.Fill
  package let blocks: Int
  package let zero: Int

  /// `nil` where the node is no Mask that is understood, or its operand's rank is not known.
  package init?(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) {
    guard graph[id].operation.isMask, let operand = graph[id].inputs.first.flatMap({ $0 }),
      let (_, call) = facts.invocation(of: id), let rank = call.shape(0)?.count,
      let axis = call.int("axis").flatMap({ try? call.normalizedAxis($0, rank: rank) }),
      let keep = call.ints("keep"), let fill = call.string("fill").flatMap(Mask.Fill.init),
      let blocks = call.int("blocks"), let zero = call.int("zero")
    else { return nil }
    node = id
    self.axis = Axis(operand, axis)
    self.keep = keep
    self.fill = fill
    self.blocks = blocks
    self.zero = zero
  }
}

extension OperationName {
  /// Whether this is prunec's own Mask operator.
  package var isMask: Bool { domain == Mask.domain && type == "Mask" }
}
