import PrunecGraphIR
import PrunecOperators
import PrunecPassKit

/// Removes nodes, optional results and constants that nothing uses.
///
///     y = Relu(x); z = Exp(x); return y   =>   y = Relu(x); return y
///     y, indices = MaxPool(x); return y   =>   y = MaxPool(x); return y
///
/// Legal where no output of the node is used by a node, a subgraph or the graph's signature. A
/// constant that the graph also lists as an input belongs to the signature and stays. Of a node that is
/// used, the last results are left out that its operator need not give; not of a BatchNormalization,
/// which is in training before opset 14 where it gives further ones.
package struct EliminateDeadNodes: Pass {
  package static let name = "eliminate-dead-nodes"
  package static let summary = "remove nodes, optional results and constants that nothing uses"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    for id in graph.nodesReversed
    where graph[id].outputs.allSatisfy({ $0 == nil || graph[$0!].uses.isEmpty }) {
      graph.erase(id)
    }
    for id in graph.nodes { leaveOutUnused(id, &graph) }
    for id in graph.initializers where graph[id].uses.isEmpty && !graph[id].isListedAsInput {
      graph.eraseInitializer(id)
    }
  }

  private func leaveOutUnused(_ id: NodeID, _ graph: inout Graph) {
    let node = graph[id]
    guard node.outputs.count > 1, node.operation != OperationName("BatchNormalization"),
      let opset = graph.opsetVersion(of: node.operation.domain),
      let results = OperatorRegistry.find(node.operation, opset: opset)?.signature.results,
      results.upperBound < Int.max
    else { return }
    var count = node.outputs.count
    while count > results.lowerBound,
      node.outputs[count - 1].map({ graph[$0].uses.isEmpty }) ?? true
    {
      count -= 1
    }
    if count < node.outputs.count { graph.truncateOutputs(of: id, to: count) }
  }
}
