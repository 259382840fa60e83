import PassKit

/// Removes nodes whose results nothing uses, and constants that nothing uses.
///
///     y = Relu(x); z = Exp(x); return y   =>   y = Relu(x); return y
///
/// Legal where no output of the node is used by a node, a subgraph or the graph's signature. A
/// constant that the graph also lists as an input belongs to the signature and stays.
public struct EliminateDeadNodes: Pass {
  public static let name = "eliminate-dead-nodes"
  public static let summary = "remove nodes and constants that nothing uses"
  public static let effect = Effect.preserving(tolerance: 0)

  public init(options: inout OptionReader) throws(CompileError) {}

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    for id in graph.nodesReversed
    where graph[id].outputs.allSatisfy({ $0 == nil || graph[$0!].uses.isEmpty }) {
      graph.erase(id)
    }
    for id in graph.initializers where graph[id].uses.isEmpty && !graph[id].isListedAsInput {
      graph.eraseInitializer(id)
    }
  }
}
