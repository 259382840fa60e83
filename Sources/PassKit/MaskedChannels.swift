import PrunecCoupling
import PrunecGraphIR
import PrunecSemantics

/// The channels that a graph's Mask nodes mask.
package struct MaskedChannels: Sendable {
  /// The Mask nodes, in order of execution.
  package let masks: [NodeID]
  /// For each group, the channels that some mask leaves out.
  package let removed: [Int: Set<Int>]

  /// Reads the masks of `graph`. Throws an unsupported error for a mask of channels that cannot be
  /// removed.
  package init(
    in graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis
  ) throws(CompileError) {
    var masks: [NodeID] = []
    var removed: [Int: Set<Int>] = [:]
    for id in graph.nodes where graph[id].operation.isMask {
      let location = graph.location(of: id)
      guard let mask = MaskNode(id, graph, facts), let extent = coupling.extent(of: mask.axis)
      else {
        throw CompileError(.unsupported, "masks an axis whose extent is not known", at: location)
      }
      masks.append(id)
      let keep = Set(mask.keep)
      for index in 0..<extent where !keep.contains(index) {
        let channel = coupling.channel(of: mask.axis, index: index)
        let pin = channel.flatMap { coupling.groups[$0.group].pin }
        guard let (group, number) = channel, pin == nil else {
          throw CompileError(
            .unsupported, "masks index \(index), which cannot be removed", at: location,
            notes: pin.map { ["pinned: \($0)"] } ?? [])
        }
        removed[group, default: []].insert(number)
        guard removed[group]!.count < coupling.groups[group].count else {
          throw CompileError(
            .unsupported, "masks the last channel of '\(coupling.groups[group].name)'",
            at: location)
        }
      }
    }
    self.masks = masks
    self.removed = removed
  }
}
