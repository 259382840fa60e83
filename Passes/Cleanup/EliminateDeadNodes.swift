import PrunecGraphIR
import PrunecPassKit

/// Removes nodes whose results nothing uses, and constants that nothing uses.
///
///     y = Relu(x); z = Exp(x); return y   =>   y = Relu(x); return y
///
/// Legal where no output of the node is used by a node, a subgraph or the graph's signature. A
/// constant that the graph also lists as an input belongs to the signature and stays.
package struct EliminateDeadNodes: Pass {
  package static let name = "eliminate-dead-nodes"
  package static let summary = "remove nodes and constants that nothing uses"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    for id in graph.nodesReversed
    where graph[id].outputs.allSatisfy({ $0 == nil || graph[$0!].uses.isEmpty }) {
      graph.erase(id)
    }
    for id in graph.initializers where graph[id].uses.isEmpty && !graph[id].isListedAsInput {
      graph.eraseInitializer(id)
    }
  }
}
