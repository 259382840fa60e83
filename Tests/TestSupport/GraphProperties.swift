import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXFormat
import PrunecONNXText
import PrunecPassKit
import PrunecPasses
import PrunecSemantics
import PrunecTensors

/// What must hold of every graph: it survives writing and reading, passes that preserve what it
/// computes do so, and pruned, with and without data, it computes what it does masked.
package struct GraphProperties {
  private static let preparation =
    "fixpoint(eliminate-identities,fold-constants,inline-branches,hoist-branches,fix-shape-constants,separate-shape-constants,"
    + "eliminate-dead-nodes),correct-types,separate-shared-vectors,"

  private let model: Model
  private let seed: Int
  private let inputs: [Tensor]
  private let expected: [Tensor]
  /// Whether some channel has been taken out.
  package private(set) var isPruned = false

  /// `seed` decides on the inputs, on the channels that go, and on how many.
  package init(_ model: Model, seed: Int) throws {
    self.model = model
    self.seed = seed
    inputs = try SeededInputs(seed: UInt64(seed)).tensors(for: model.graph)
    expected = try ReferenceEvaluator(model.graph).run(inputs)
  }

  /// Throws a broken property, or what went wrong otherwise.
  package mutating func check() throws {
    try verify(model.graph, after: "generation")
    let warnings = try GraphFacts(of: model.graph).warnings
    guard warnings.isEmpty else {
      throw BrokenProperty("inference without warnings", "\(warnings)")
    }
    try checkRoundTrips()
    try checkPreservingPasses()
    // On its own and on top of the other: heads and their dimensions are cut one after the other.
    let inner = try checkPruning(model.graph, .inner)
    _ = try checkPruning(model.graph, .outer)
    if seed % 4 == 0 { _ = try checkPruning(inner, .outer) }
    if seed % 3 == 0 { try checkPruningOnData() }
  }

  private func verify(_ graph: Graph, after step: String) throws {
    let violations = Verifier.violations(in: graph)
    guard violations.isEmpty else {
      throw BrokenProperty("well formed after \(step)", "\(violations)")
    }
  }

  private func checkRoundTrips() throws {
    let parsed = try parseModel(printModel(model))
    let read = try importModel(bytes: serialize(model)).model
    for (name, other) in [("printing and parsing", parsed), ("export and import", read)] {
      let found = differences(between: model, and: other)
      guard found.isEmpty else { throw BrokenProperty("unchanged by \(name)", "\(found)") }
    }
  }

  private func checkPreservingPasses() throws {
    for pass in allPasses.passes {
      guard case .preserving(let tolerance) = pass.effect else { continue }
      var graph = model.graph
      let needed = allPasses.rules.filter { $0.pass == pass.name }.map(\.requires)
      try run((needed + [pass.name]).joined(separator: ","), on: &graph)
      guard graph.revision != model.graph.revision else { continue }
      try compare(graph, with: expected, tolerance: tolerance, after: pass.name)
    }
  }

  /// Prunes a graph and compares the result, which is given back, with the masked graph.
  private mutating func checkPruning(
    _ original: Graph, _ direction: SplitDirection
  ) throws -> Graph {
    let ratio = [0.25, 0.5, 0.75][seed % 3]
    let preparation = seed % 2 == 0 ? Self.preparation : ""
    let pipeline =
      preparation + "score-channels{criterion=random seed=\(seed)},"
      + "mask-channels{ratio=\(ratio) align=1},shrink-channels,merge-equal-vectors"
    var graph = original
    let context = try run(pipeline, on: &graph, direction)
    guard let masked = context.maskedGraph else {
      throw BrokenProperty(pipeline, "no masked graph")
    }
    let reference = try ReferenceEvaluator(masked).run(inputs)
    try compare(graph, with: reference, tolerance: 1e-4, after: "\(direction) \(pipeline)")
    var lowered = masked
    try run("lower-masks", on: &lowered)
    try compare(lowered, with: reference, tolerance: 1e-5, after: "lower-masks")
    isPruned = isPruned || context.shrinkage?.keptIndices.isEmpty == false
    return graph
  }

  /// Prunes on samples and compares the result with the masked graph.
  private mutating func checkPruningOnData() throws {
    let direction: SplitDirection = seed % 5 == 0 ? .outer : .inner
    // A budget that cannot be met is an error of its own.
    let amount =
      seed % 2 == 0
      ? "ratio=0.5 align=1" : "params=0.9 scope=individual align=1 max-ratio=1 min-channels=1"
    let pipeline =
      Self.preparation + "fold-batch-norm,collect-statistics{rows=500 samples=8},rotate-heads,"
      + "score-channels{criterion=obs},measure-damage{effort=quick},mask-channels{\(amount)},"
      + (seed % 4 == 3 ? "refit-layers" : "reconstruct-layers{rows=500}") + ",shrink-channels"
    var graph = model.graph
    let context: PassContext
    do {
      context = try run(pipeline, on: &graph, direction)
    } catch let error as BrokenProperty where error.description.contains("as far as it goes") {
      return
    }
    guard let masked = context.maskedGraph else {
      throw BrokenProperty(pipeline, "no masked graph")
    }
    let reference = try ReferenceEvaluator(masked).run(inputs)
    try compare(graph, with: reference, tolerance: 1e-4, after: "\(direction) \(pipeline)")
  }

  @discardableResult
  private func run(
    _ pipeline: String, on graph: inout Graph, _ direction: SplitDirection = .inner
  ) throws -> PassContext {
    var context = PassContext(original: graph)
    context.couplingOptions.direction = direction
    context.calibration[CalibrationSets.calibration] = try HeldBatches(
      seeded: graph, count: 5, seed: UInt64(seed))
    var options = PassManager.Options()
    options.verifyEach = true
    var manager = try PassManager(Pipeline(pipeline), registry: allPasses, options: options)
    do {
      try manager.run(on: &graph, &context)
    } catch {
      throw BrokenProperty("\(direction) \(pipeline)", "\(error)")
    }
    return context
  }

  private func compare(
    _ graph: Graph, with expected: [Tensor], tolerance: Double, after step: String
  ) throws {
    let actual = try ReferenceEvaluator(graph).run(inputs)
    let comparison = Comparison(actual, expected: expected)
    guard comparison.maxRelative <= tolerance else {
      throw BrokenProperty("equal after \(step)", "relative error \(comparison.maxRelative)")
    }
  }
}
