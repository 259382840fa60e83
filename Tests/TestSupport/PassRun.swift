import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSemantics

/// A pipeline that has run on a model under every check there is: the graph is verified after each
/// pass, run before and after each that must not change what it computes, and run once more as a whole;
/// whatever the passes have built stands for nodes of the input.
package struct PassRun {
  package let model: Model
  package let context: PassContext
  /// Why results were not compared; empty where all were.
  package let unchecked: [String]

  package var graph: Graph { model.graph }

  /// `calibration` is the samples that passes look at. Throws what the passes throw, and a failed check where a result is
  /// not what it must be.
  package init(
    _ pipeline: String, on input: Model, direction: SplitDirection = .inner,
    calibration: (any CalibrationBatches)? = nil
  ) throws(CompileError) {
    var options = PassManager.Options()
    options.verifyEach = true
    options.checkEach = true
    var manager = try PassManager(Pipeline(pipeline), registry: allPasses, options: options)
    var model = input
    var context = PassContext(original: input.graph, functions: input.functions)
    context.couplingOptions.direction = direction
    context.calibration[CalibrationSets.calibration] = calibration
    try manager.run(on: &model.graph, &context)
    let violations = Verifier.violations(in: model.graph, rewriting: input.graph)
    guard violations.isEmpty else { throw CompileError(.checkFailed, violations) }
    var unchecked = context.warnings.map(\.message).filter { $0.contains("has not been checked") }
    let names = Set(manager.records.map(\.pass))
    for reference in try Self.references(for: input.graph, context, passes: names) {
      do {
        try Self.compare(model.graph, with: reference)
      } catch  where error.kind == .unsupported {
        unchecked.append(error.description)
      }
    }
    self.model = model
    self.context = context
    self.unchecked = unchecked
  }

  /// Graphs that compute what the result must: of a shrunk one the masked one, with masks as they are
  /// and in standard operators; the input itself, if no pass was to change what it computes.
  private static func references(
    for input: Graph, _ context: PassContext, passes: Set<String>
  ) throws(CompileError) -> [Graph] {
    guard let masked = context.maskedGraph else {
      let isPreserving = allPasses.passes.allSatisfy { pass in
        if case .masking = pass.effect { !passes.contains(pass.name) } else { true }
      }
      return isPreserving ? [input] : []
    }
    var lowered = masked
    var manager = try PassManager(Pipeline("lower-masks"), registry: allPasses)
    var scratch = PassContext(original: masked)
    try manager.run(on: &lowered, &scratch)
    return [masked, lowered]
  }

  private static func compare(_ graph: Graph, with reference: Graph) throws(CompileError) {
    for seed in UInt64(1)...3 {
      let inputs = try SeededInputs(seed: seed).tensors(for: reference)
      let expected = try ReferenceEvaluator(reference).run(inputs)
      let comparison = Comparison(try ReferenceEvaluator(graph).run(inputs), expected: expected)
      guard comparison.maxRelative <= 1e-4 else {
        throw CompileError(
          .checkFailed, "the pipeline's result is off by \(comparison.maxRelative), relatively")
      }
    }
  }
}

/// Runs a golden case under every check, and holds its `# unchecked:` comment to what was checked.
package func runCase(_ section: GoldenFile.Case, _ input: Model) throws -> Model {
  let direction = section.direction.map { SplitDirection(rawValue: $0)! } ?? .inner
  let run = try PassRun(section.pipeline, on: input, direction: direction)
  guard run.unchecked.isEmpty == (section.unchecked == nil) else {
    throw CompileError(
      .checkFailed,
      run.unchecked.isEmpty
        ? "the case says it is unchecked, but it was checked"
        : run.unchecked.joined(separator: "\n"))
  }
  return run.model
}
