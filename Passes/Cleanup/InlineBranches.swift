import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics

/// Puts the branch that is always taken in the place of an If.
///
///     y = If <then_branch = { t = Relu(x) -> t }, else_branch = ...> (true)   =>   y = Relu(x)
///
/// Exporters write conditions on ranks and extents, which are known once shapes are. Values and nodes of the
/// branch keep their names where nothing else has them.
///
/// Legal where inference knows the condition.
package struct InlineBranches: Pass {
  package static let name = "inline-branches"
  package static let summary = "put the branch that is always taken in the place of an If"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    var names = UniqueNames(ofNodesIn: graph)
    for id in Array(graph.nodes) {
      let node = graph[id]
      // A condition that another branch has just brought is known the next time.
      guard let flow = ControlFlow(id, in: graph), let condition = node.inputs.first ?? nil,
        Int(condition.rawValue) < facts.valueCount,
        let branch = flow.branch(condition: facts[condition]),
        branch.outputs.count >= node.outputs.count
      else { continue }
      let values = Dictionary(uniqueKeysWithValues: zip(branch.captures, node.captures))
      _ = graph.inline(branch, at: id, values: values, prefix: "", &names)
    }
  }
}
