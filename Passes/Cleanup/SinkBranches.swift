import PrunecGraphIR
import PrunecPassKit
import PrunecSemantics

/// Puts the nodes that only one side of a Merge needs into a branch of an If, so that runtimes execute the branch that is
/// chosen and no other.
///
///     t = Relu(x);  e = Exp(x);  y = ai.prunec.Merge (c, t, e)
///     =>   y = If <then_branch = {t = Relu(x)}, else_branch = {e = Exp(x)}> (c)
///
/// Constants stay in the graph and are captured.
package struct SinkBranches: Pass {
  package static let name = "sink-branches"
  package static let summary = "put what one branch alone needs back into an If"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    graph.sinkBranches()
  }
}
