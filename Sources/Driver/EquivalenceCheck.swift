import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// Holds pruning to what its passes claim: runs the original and every graph that a claim is about on the
/// same seeded inputs, and compares.
public struct EquivalenceCheck: Sendable {
  /// The worst of the claims that channels were taken out without any other change; `nil` if the
  /// original could not be run.
  public let comparison: Comparison?
  /// Why it could not.
  public let reasonNotRun: String?
  /// What has been left out: nodes that are not understood are taken to make the same of the same.
  public let omission: String?
  /// Number of nodes that round, compare, sort or choose at which the graphs had to be compared stretch by
  /// stretch (`StretchComparison`); 0 where they agree as a whole.
  public let discontinuityCount: Int
  public let seconds: Double
  /// The first claim that does not hold.
  public let failure: String?
  /// Closeness of the last graph to the original on the inputs that were run; `nil` where no outputs were.
  let agreement: AgreementReport?

  /// Extents to try for axes (but the batch) whose extent the model leaves open, where a run on inputs of
  /// the shapes that costs are counted for would take long.
  private static let freeExtents = [2, 32, 64, 224]
  /// MACs of a run that takes no time to speak of.
  private static let quickMacs = 1 << 28
  /// Rewrites that do not shrink may round differently: a batch normalization folded into a layer
  /// does.
  private static let rewriteTolerance = 1e-3
  /// Types narrower than float32 round after every node.
  private static let narrowTolerances: [ElementType: Double] = [
    .float16: 0x1p-6, .bfloat16: 0x1p-3, .int16: 0x1p-8, .uint16: 0x1p-8,
  ]
  /// Checks `claims`, which are about `original` and what has become of it. A relative error up to
  /// `tolerance` is allowed to what has been shrunk.
  ///
  /// They run on `inputs`; what is not given is made up, of `shapes` (of those that are found for the graph itself where it
  /// is `nil`) where that is quick or something is given, and otherwise of the first that the original runs on.
  ///
  /// That the original cannot be run is a reason for not checking; that anything made of it cannot be
  /// is a failure.
  public init(
    _ claims: [PassManager.Claim], original: Graph, tolerance: Double, seed: UInt64,
    inputs: GivenInputs = GivenInputs(), shapes: InputShapes? = nil
  ) {
    let clock = ContinuousClock()
    let start = clock.now
    let types = Self.computedTypes(of: original)
    let shapes = shapes ?? InputShapes(for: original)
    let trials = Self.trials(for: original, inputs, shapes)
    let narrow = types.compactMap { Self.narrowTolerances[$0] }.max() ?? 0
    let attempt = Self.attempt(
      claims, original, (tolerance, narrow), seed, inputs.arrays, trials, shapes.openBatches)
    comparison = attempt.comparison
    failure = attempt.failure
    reasonNotRun = attempt.reasonNotRun
    omission = attempt.omission
    discontinuityCount = attempt.discontinuityCount
    agreement = attempt.agreement
    seconds = (clock.now - start) / .seconds(1)
  }

  /// What running on the inputs of one seed shows.
  private struct Attempt {
    var comparison: Comparison?
    var failure: String?
    var reasonNotRun: String?
    var omission: String?
    var discontinuityCount = 0
    var agreement: AgreementReport?
  }

  /// What a graph makes of some inputs, by name, and the nodes that took no part.
  private struct Run {
    var tensors: [String: Tensor] = [:]
    var isTelling = false
    var unknownNames: Set<String> = []
    var omission: String?

    init() {}

    func comparison(with expected: [String: Tensor]) -> Comparison {
      let names = expected.keys.sorted()
      return Comparison(
        names.compactMap { tensors[$0] }, expected: names.map { expected[$0]! })
    }

    /// The runtime is fast, and keeps another copy of the weights.
    private static let weightLimit = 1 << 32
    private static let activationLimit = 1 << 30

    private static func suits(_ graph: Graph) -> Bool {
      let bytes = graph.initializers.reduce(0) { sum, id in
        // Whatever their type, weights are packed as float32.
        sum + (graph[id].constant.map { max($0.byteCount, 4 * $0.count) } ?? 0)
      }
      return bytes <= weightLimit
    }

    /// Runs `graph`, by the reference where the runtime cannot and `allowsReference`.
    init(
      _ graph: Graph, _ inputs: [Tensor], seed: UInt64, allowsReference: Bool = true
    ) throws(CompileError) {
      let evaluator = try PartialEvaluator(graph)
      if evaluator.unknownNames.isEmpty, Self.suits(graph) {
        do throws(CompileError) {
          let outputs = try Session(graph, memoryLimit: Self.activationLimit).run(inputs)
          for (output, tensor) in zip(graph.outputs, outputs) {
            tensors["output \(output.name)"] = tensor
          }
          isTelling = graph.outputs.contains { graph[$0.value].definingNode != nil }
          return
        } catch {
          // The reference tries it then, and says why if it cannot either.
          guard allowsReference else { throw error }
        }
      }
      guard allowsReference else {
        throw CompileError(.unsupported, "the runtime does not run the model")
      }
      let results = try evaluator.run(inputs, seed: seed)
      tensors = results.tensors
      isTelling = results.isTelling
      unknownNames = Set(evaluator.unknownNames)
      let operations = evaluator.unknownOperations.map(\.description)
      guard !operations.isEmpty else { return }
      omission = "operators that are not known: \(operations.joined(separator: ", "))"
      if !results.unreachedOutputs.isEmpty {
        omission! += "; not reached: \(results.unreachedOutputs.joined(separator: ", "))"
      }
    }
  }

  private static func attempt(
    _ claims: [PassManager.Claim], _ original: Graph,
    _ tolerances: (shrunk: Double, narrow: Double), _ seed: UInt64, _ arrays: [String: Tensor],
    _ trials: [Trial], _ openBatches: [String: [Int]]
  ) -> Attempt {
    let inputs: [Tensor]
    var runs: [UInt64: Run] = [:]
    let omission: String?
    switch workingInputs(for: original, seed: seed, arrays, trials) {
    case .failure(let error):
      return Attempt(reasonNotRun: error.diagnostics[0].rendered(file: nil))
    case .success(let (found, run)):
      inputs = found
      runs[original.revision] = run
      omission = run.omission
    }
    func run(of graph: Graph) -> Run {
      if let known = runs[graph.revision] { return known }
      // Nothing at all is infinitely far from something.
      let run = (try? Run(graph, inputs, seed: seed)) ?? Run()
      runs[graph.revision] = run
      return run
    }

    let isAnyShrunk = claims.contains(where: \.isShrunk)
    var attempt = Attempt(comparison: Comparison(), omission: omission)
    for claim in claims {
      let (after, before) = (run(of: claim.after), run(of: claim.before))
      // A node that took no part before has to take none after, or there is nothing to compare.
      guard after.tensors.isEmpty || after.unknownNames == before.unknownNames else {
        return Attempt(reasonNotRun: "a pass changed which operators are known")
      }
      let allowed = max(
        claim.isShrunk ? tolerances.shrunk : rewriteTolerance, tolerances.narrow)
      var comparison = after.comparison(with: before.tensors)
      if !(comparison.maxRelative <= allowed),
        let (inStretches, count) = stretchwise(claim, inputs, seed: seed)
      {
        comparison = inStretches
        attempt.discontinuityCount = max(attempt.discontinuityCount, count)
      }
      if !(comparison.maxRelative <= allowed) {
        attempt.failure =
          attempt.failure
          ?? (claim.isShrunk
            ? "the pruned model does not compute what the masked original does"
            : "preparing the model changed what it computes")
          + ": relative error \(comparison.maxRelative)"
      }
      if claim.isShrunk || !isAnyShrunk { attempt.comparison!.formUnion(comparison) }
    }
    if let last = claims.last?.after {
      func outputs(_ run: Run) -> [Tensor] {
        original.outputs.compactMap { run.tensors["output \($0.name)"] }
      }
      attempt.agreement = AgreementReport(
        outputs(run(of: last)), original: outputs(run(of: original)))
    }
    attempt.failure =
      attempt.failure ?? emptyBatchFailure(claims, original, inputs, openBatches, seed: seed)
    return attempt
  }

  /// Failure of the pruned model on an empty batch, such as a detector hands on that has found nothing; `nil` where
  /// there is none, and where the original does not take one.
  private static func emptyBatchFailure(
    _ claims: [PassManager.Claim], _ original: Graph, _ inputs: [Tensor],
    _ openBatches: [String: [Int]], seed: UInt64
  ) -> String? {
    guard !openBatches.isEmpty, let last = claims.last?.after else { return nil }
    let empty = zip(original.inputs, inputs).map { id, tensor -> Tensor in
      guard let axes = openBatches[original[id].name], tensor.strings == nil else { return tensor }
      var shape = tensor.shape
      for axis in axes where axis < shape.count { shape[axis] = 0 }
      return Tensor(zeros: tensor.elementType, shape: shape)
    }
    guard let before = try? Run(original, empty, seed: seed, allowsReference: false) else {
      return nil
    }
    do throws(CompileError) {
      let after = try Run(last, empty, seed: seed, allowsReference: false)
      let isSame = before.tensors.allSatisfy { name, tensor in
        after.tensors[name]?.shape == tensor.shape
      }
      return isSame ? nil : "the pruned model gives other shapes for an empty batch"
    } catch {
      return "the pruned model does not take an empty batch: \(error.diagnostics[0].message)"
    }
  }

  /// Compares the graphs of a claim stretch by stretch; gives the number of nodes between the stretches
  /// too. `nil` where no node divides them, or a graph cannot be run so.
  private static func stretchwise(
    _ claim: PassManager.Claim, _ inputs: [Tensor], seed: UInt64
  ) -> (Comparison, nodeCount: Int)? {
    guard let stretches = StretchComparison(claim),
      let before = try? Run(stretches.before, inputs, seed: seed),
      let further = stretches.inputs(from: before.tensors),
      let after = try? Run(stretches.after, inputs + further, seed: seed)
    else { return nil }
    let expected = stretches.expected(from: before.tensors)
    return (after.comparison(with: expected), stretches.nodeCount)
  }

  /// The element types of what nodes make and of what the graph is given.
  private static func computedTypes(of graph: Graph) -> Set<ElementType> {
    let facts = try? GraphFacts(of: graph)
    return Set(
      graph.valueIDs.filter { graph[$0].constant == nil }.compactMap {
        facts?[$0].elementType ?? graph[$0].tensorType?.elementType
      })
  }

  /// Shapes of inputs to try, and how.
  private struct Trial {
    /// By name of input.
    var shapes: [String: [Int]]
    /// For axes of other inputs (but the batch) that are left open.
    var freeExtent: Int
    var allowsReference = true
  }

  /// Attempts, the best first: shapes that costs are counted for with a batch of two, for mistakes show
  /// there that one alone would hide, and of one, for some models admit no other; then small ones.
  private static func trials(
    for graph: Graph, _ given: GivenInputs, _ shapes: InputShapes
  ) -> [Trial] {
    let known = given.shapes.merging(given.arrays.mapValues(\.shape)) { $1 }
    let isOpen = !shapes.decided.isEmpty
    let small = isOpen ? freeExtents.map { Trial(shapes: known, freeExtent: $0) } : []
    let counted = (shapes.openBatches.isEmpty ? [1] : [2, 1]).map { batch in
      Trial(
        shapes: shapes.extents.keys.reduce(into: known) { result, input in
          result[input] = result[input] ?? shapes.extents(ofInput: input, batch: batch)
        }, freeExtent: freeExtents[0])
    }
    guard known.isEmpty, isOpen else { return counted + small }
    guard shapes.refusal == nil else { return small + counted }
    let macs = (try? GraphFacts(of: graph)).map { Cost(of: graph, $0, shapes).macs } ?? .max
    guard macs <= quickMacs else { return small + counted }
    let quick = counted.map { Trial(shapes: $0.shapes, freeExtent: 0, allowsReference: false) }
    return quick + small + counted
  }

  private static func workingInputs(
    for graph: Graph, seed: UInt64, _ arrays: [String: Tensor], _ trials: [Trial]
  ) -> Result<(inputs: [Tensor], run: Run), CompileError> {
    var first: CompileError?
    for trial in trials {
      do throws(CompileError) {
        let madeUp = try SeededInputs(seed: seed, freeExtent: trial.freeExtent).tensors(
          for: graph, shapes: trial.shapes, given: arrays)
        let run = try Run(graph, madeUp, seed: seed, allowsReference: trial.allowsReference)
        guard run.isTelling || run.omission == nil else {
          throw CompileError(.unsupported, "nothing is left to run but for \(run.omission ?? "")")
        }
        guard Comparison.isConclusive(Array(run.tensors.values)) else {
          throw CompileError(.unsupported, "most outputs for these inputs are not finite")
        }
        return .success((madeUp, run))
      } catch {
        if trial.allowsReference { first = first ?? error }
      }
    }
    return .failure(first!)
  }
}
