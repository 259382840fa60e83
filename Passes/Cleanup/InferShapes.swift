import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics

/// Writes inferred types to the values, so that they are exported as `value_info`.
///
///     y = Conv(x, w)   =>   float[N,64,28,28] y = Conv(x, w)
///
/// Only types are touched; nothing that the graph computes depends on them.
package struct InferShapes: Pass {
  package static let name = "infer-shapes"
  package static let summary = "write inferred types to the values"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    context.warnings += facts.warnings
    for id in graph.valueIDs where graph[id].definingNode != nil {
      guard let type = facts[id].type, graph[id].tensorType != type else { continue }
      graph.setType(of: id, to: ValueType(.tensor(type)))
    }
  }
}
