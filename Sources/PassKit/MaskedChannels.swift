/// The channels that a graph's Mask nodes mask.
public struct MaskedChannels: Sendable {
  /// The Mask nodes, in order of execution.
  public let masks: [NodeID]
  /// For each group, the channels that some mask leaves out.
  public let removed: [Int: Set<Int>]

  /// Reads the masks of `graph`. Throws an unsupported error for a mask of channels that cannot be
  /// removed.
  public init(
    in graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis
  ) throws(CompileError) {
    var masks: [NodeID] = []
    var removed: [Int: Set<Int>] = [:]
    for id in graph.nodes where graph[id].operation.isMask {
      guard let (_, call) = facts.invocation(of: id), let operand = graph[id].inputs[0] else {
        continue
      }
      masks.append(id)
      let axis = Axis(operand, call.int("axis")!)
      let keep = Set(call.ints("keep")!)
      for index in 0..<(coupling.extent(of: axis) ?? 0) where !keep.contains(index) {
        guard let (group, channel) = coupling.channel(of: axis, index: index),
          coupling.groups[group].pin == nil
        else {
          let pin = coupling.channel(of: axis, index: index).flatMap {
            coupling.groups[$0.group].pin
          }
          throw CompileError(
            .unsupported, "masks index \(index), which cannot be removed",
            at: graph.location(of: id), notes: pin.map { ["pinned: \($0)"] } ?? [])
        }
        removed[group, default: []].insert(channel)
      }
    }
    self.masks = masks
    self.removed = removed
  }
}

extension OperationName {
  /// Whether this is prunec's own Mask operator.
  public var isMask: Bool { domain == Mask.domain && type == "Mask" }
}
