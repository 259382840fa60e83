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
    for id in Array(graph.nodes) {
      guard let flow = ControlFlow(id, in: graph),
        let branch = flow.branch(
          condition: graph[id].inputs.first.flatMap { $0.map { facts[$0] } }),
        branch.outputs.count >= graph[id].outputs.count
      else { continue }
      perform(branch, at: id, &graph)
    }
  }

  private func perform(_ branch: Graph, at id: NodeID, _ graph: inout Graph) {
    let node = graph[id]
    var values = Dictionary(
      uniqueKeysWithValues: zip(branch.captures, node.captures).map { ($0, $1) })
    for initializer in branch.initializers {
      guard let tensor = branch[initializer].constant else { continue }
      values[initializer] = graph.build(before: id, stem: branch[initializer].name) {
        $0.addConstant(tensor)
      }
    }
    for inner in branch.nodes {
      let inside = branch[inner]
      let outputs = inside.outputs.map { output in
        output.map { (name: graph.uniqueName(branch[$0].name), type: branch[$0].type) }
      }
      let copy = graph.build(before: id) { build in
        build.addCopy(
          of: inside, name: inside.name, inputs: inside.inputs.map { $0.flatMap { values[$0] } },
          captures: inside.captures.compactMap { values[$0] }, outputs: outputs,
          attributes: inside.attributes)
      }
      for (old, new) in zip(inside.outputs, graph[copy].outputs) {
        if let old { values[old] = new }
      }
    }
    for (output, result) in zip(branch.outputs, node.outputs) {
      guard let result, let value = values[output.value] else { continue }
      if graph[value].type == nil { graph.setType(of: value, to: graph[result].type) }
      graph.replaceAllUses(of: result, with: value)
    }
    graph.erase(id)
  }
}
