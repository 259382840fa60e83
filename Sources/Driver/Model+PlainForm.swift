import PrunecGraphIR
import PrunecPassKit
import PrunecPasses

extension Model {
  /// The model with calls of its functions replaced by what they compute, tensors handed on instead
  /// of sequences of them, and without the functions that nothing calls any more: the form in which
  /// it is measured, pruned and checked.
  public func inPlainForm() throws(CompileError) -> Model {
    var model = self
    var context = PassContext(original: graph, functions: functions)
    var manager = try PassManager(
      Pipeline("inline-functions,fixpoint(unpack-sequences)"), registry: allPasses)
    try manager.run(on: &model.graph, &context)
    model.graph.becomeOriginal()
    let bodies = Dictionary(functions.map { ($0.name, $0.body) }, uniquingKeysWith: { a, _ in a })
    var called: Set<OperationName> = []
    var open = [model.graph]
    while let graph = open.popLast() {
      for id in graph.nodes {
        let node = graph[id]
        open += node.attributes.flatMap(\.graphs)
        if let body = bodies[node.operation], called.insert(node.operation).inserted {
          open.append(body)
        }
      }
    }
    model.functions.removeAll { !called.contains($0.name) }
    return model
  }
}
