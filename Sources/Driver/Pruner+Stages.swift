import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSemantics

extension Pruner {
  /// A model that passes have looked at, and of which nothing has been cut.
  public struct Measurement: Sendable {
    let model: Model
    let options: PruneOptions
    let graph: Graph
    var context: PassContext
    let manager: PassManager

    /// The MACs of the model.
    public func macs() throws(CompileError) -> Int {
      var context = context
      return Cost(of: model.graph, try GraphFacts(of: model.graph), context.inputShapes).macs
    }
  }

  /// A model that has been cut.
  public struct Cut: Sendable {
    let model: Model
    let pipeline: Pipeline
    public let graph: Graph
    let context: PassContext
    let manager: PassManager

    /// The MACs of the small model.
    public func macs() throws(CompileError) -> Int {
      var context = context
      return Cost(of: graph, try context.facts(of: graph), context.inputShapes).macs
    }
  }

  /// Result of pruning.
  public struct Result: Sendable {
    /// The small model.
    public let model: Model
    /// The original with the removed channels masked, by Mask nodes.
    let maskedWithMasks: Model
    public internal(set) var report: PruneReport
    let original: Graph
    let shrinkage: Shrinkage?
    public internal(set) var warnings: [Diagnostic]
  }
}

extension Pruner.Result {
  /// The indices that stay of the original's initializers, and the weights whose values have changed. Weights are compared when
  /// this is asked for.
  public var plan: SlicingPlan {
    SlicingPlan(original: original, pruned: model.graph, shrinkage)
  }

  /// The original, prepared and compensated as the small model is, with the removed channels masked in
  /// standard operators.
  public func masked() throws(CompileError) -> Model {
    var model = maskedWithMasks
    var context = PassContext(original: model.graph)
    var manager = try PassManager(
      Pipeline("\(LowerMasks.name),\(SinkBranches.name)"), registry: allPasses)
    try manager.run(on: &model.graph, &context)
    return model
  }

  /// Tells the report what labelled samples say.
  public mutating func setAccuracy(_ accuracy: AccuracyReport) { report.accuracy = accuracy }

  /// Tells the report how the budget was found.
  public mutating func setBound(_ bound: BoundReport) { report.bound = bound }

  /// Tells the report the sizes of the files.
  public mutating func setSizes(before: Int, after: Int) {
    report.before.bytes = before
    report.after.bytes = after
  }
}
