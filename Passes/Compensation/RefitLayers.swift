import PrunecCalibration
import PrunecGraphIR
import PrunecPassKit

/// Fits every layer to the channels that are left, on sums over what layers read in the original: no samples are run.
///
///     y = Conv(mask(x), W)   =>   y = Conv(mask(x), W'),   W' = W C[:, k] C[k, k]^-1
///
/// See `SymmetricFit`. `reconstruct-layers`, which has samples, does better: it knows what each layer reads once those before it
/// have been fitted, fits normalizations, and judges every fit on samples that it has not seen.
///
/// Legal (worth it: masked and shrunk graph stay equal in any case) where `collect-statistics` has sums of the layer.
package struct RefitLayers: Pass {
  package static let name = "refit-layers"
  package static let summary = "fit the layers of the small network to sums over what they read"
  package static let effect = Effect.masking

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    guard let statistics = context.statistics else {
      throw CompileError(
        .usage, "\(Self.name) needs collect-statistics before it, in the graph that is masked")
    }
    let facts = try context.facts(of: graph)
    let plan = try MaskedCut(graph, facts, try context.coupling(of: graph))
    for change in SymmetricFit.changes(of: graph, keeping: plan.cut.kept, statistics) {
      change.perform(on: &graph, facts, [:])
    }
  }
}
