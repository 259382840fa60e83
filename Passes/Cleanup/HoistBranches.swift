import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Puts both branches of an If into the graph around it, so that what they compute is pruned like the rest.
///
///     y = If <then_branch = {t = Relu(x)}, else_branch = {e = Exp(x)}> (c)
///     =>   t = Relu(x);  e = Exp(x);  y = ai.prunec.Merge (c, t, e)
///
/// `sink-branches` is the way back. A branch of a branch is taken out the next time.
///
/// Legal where both branches keep the rules of their operators, as far as that is known for whatever inputs, and are not
/// known to give results of different ranks; worth it where a result is a tensor of channels: floating point, of two axes
/// or more.
package struct HoistBranches: Pass {
  package static let name = "hoist-branches"
  package static let summary = "put the branches of an If into the graph around it"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    var names = UniqueNames(ofNodesIn: graph)
    for id in graph.nodes.filter({ Self.isLegal($0, graph, facts) }) { hoist(id, &graph, &names) }
  }

  private static func isLegal(_ id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Bool {
    let bodies = facts.bodies(of: id)
    guard let flow = ControlFlow(id, in: graph), flow.graphs.count == 2, bodies.count == 2,
      bodies.allSatisfy({ $0.runs == 1 }),
      graph[id].inputs.count == 1, graph[id].inputs[0] != nil
    else { return false }
    let outputs = bodies.map { body in body.graph.outputs.map { body.facts[$0.value] } }
    let results = graph[id].outputs
    guard outputs.allSatisfy({ $0.count == results.count }), results.allSatisfy({ $0 != nil })
    else { return false }
    return zip(outputs[0], outputs[1]).allSatisfy { one, other in
      (one.rank ?? other.rank) == (other.rank ?? one.rank)
        && (one.elementType ?? other.elementType) == (other.elementType ?? one.elementType)
    }
      && results.contains { result in
        let known = facts[result!]
        return known.elementType?.isFloatingPoint == true && known.rank ?? 0 >= 2
      }
  }

  private func hoist(_ id: NodeID, _ graph: inout Graph, _ names: inout UniqueNames) {
    guard let flow = ControlFlow(id, in: graph) else { return }
    var values: [ValueID?] = []
    for branch in flow.graphs {
      let captures = Dictionary(uniqueKeysWithValues: zip(branch.captures, graph[id].captures))
      values +=
        graph.insertCopies(of: branch, before: id, values: captures, prefix: "", &names).outputs
    }
    graph.importOwnOperators()
    graph.redefine(
      id, as: Merge.operation, inputs: graph[id].inputs + values, captures: [], attributes: [])
  }
}
