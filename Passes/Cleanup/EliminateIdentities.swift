import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Removes nodes that hand on their operand unchanged.
///
///     y = Identity(x); z = Relu(y)   =>   z = Relu(x)
///
/// Legal where
/// 1. the node is an Identity; or a Dropout in inference mode of which nothing uses the mask; or a
///    Reshape, Expand or Cast whose result has the operand's element type and shape, all extents
///    being known;
/// 2. its result is not an output of the graph, unless the operand is computed by a node and is no
///    output of the graph itself: the signature would otherwise need an Identity again.
package struct EliminateIdentities: Pass {
  package static let name = "eliminate-identities"
  package static let summary = "remove nodes that hand on their operand unchanged"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for id in Array(graph.nodes) where isIdentity(id, graph, facts) {
      guard let operand = graph[id].inputs[0], let result = graph[id].outputs[0] else { continue }
      let isOutput = graph[result].isGraphOutput
      if isOutput, graph[operand].definingNode == nil || graph[operand].isGraphOutput { continue }
      graph.replaceAllUses(of: result, with: operand)
      graph.erase(id)
    }
  }

  private func isIdentity(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Bool {
    let node = graph[id]
    guard node.operation.domain.isEmpty, let (_, call) = facts.invocation(of: id) else {
      return false
    }
    switch node.operation.type {
    case "Identity": return true
    case "Dropout":
      let isMaskUsed =
        node.outputs.count > 1 && node.outputs[1].map { !graph[$0].uses.isEmpty } == true
      let training = call.operand(2)
      return !isMaskUsed && (training == nil || training?.constant?.integers == [0])
    case "Reshape", "Expand", "Cast":
      guard let from = call.operand(0), let to = call.results.first else { return false }
      return from.elementType != nil && from.elementType == to.elementType
        && from.fixedShape != nil && from.fixedShape == to.fixedShape
    default: return false
    }
  }
}
