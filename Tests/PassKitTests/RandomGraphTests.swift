import Foundation
import ONNXFormat
import ONNXText
import Passes
import TestSupport
import Testing

/// What must hold of every graph, held against graphs made at random.
///
/// `RANDOM_GRAPHS` in the environment sets how many there are, `RANDOM_GRAPHS_FROM` the first seed.
@Suite struct RandomGraphTests {
  private static let chunkSize = 10

  private static func number(_ variable: String, default value: Int) -> Int {
    ProcessInfo.processInfo.environment[variable].flatMap(Int.init) ?? value
  }

  private static let seeds: Range<Int> = {
    let first = number("RANDOM_GRAPHS_FROM", default: 0)
    return first..<(first + number("RANDOM_GRAPHS", default: 200))
  }()

  /// First seeds of the chunks in which the graphs are tested, side by side.
  private static let chunks = Array(
    stride(from: seeds.lowerBound, to: seeds.upperBound, by: chunkSize))

  @Test(arguments: chunks)
  func propertiesHold(from first: Int) {
    var prunedCount = 0
    let seeds = first..<min(first + Self.chunkSize, Self.seeds.upperBound)
    for seed in seeds {
      let model = RandomGraph.model(seed: UInt64(seed))
      do {
        var properties = try GraphProperties(model, seed: seed)
        try properties.check()
        if properties.isPruned { prunedCount += 1 }
      } catch {
        Issue.record("seed \(seed): \(error)\n\(printModel(model, options: .readable))")
      }
    }
    // The properties of pruning mean nothing where nothing can be pruned.
    #expect(prunedCount * 2 >= seeds.count)
  }

  /// The generator means to use each of its operators, not only to be able to.
  @Test func operatorsOccur() {
    var operations: Set<String> = []
    for seed in 0..<400 {
      let graph = RandomGraph.model(seed: UInt64(seed)).graph
      operations.formUnion(graph.nodes.map { graph[$0].operation.type })
    }
    let rare: Set = [
      "BatchNormalization", "ConvTranspose", "CumSum", "DepthToSpace", "DequantizeLinear", "Einsum",
      "Expand", "Gather", "GRU", "GroupNormalization", "LSTM", "LayerNormalization", "Pad",
      "QuantizeLinear", "RNN", "Resize", "Slice", "SpaceToDepth", "Split", "Tile", "Where",
    ]
    #expect(rare.subtracting(operations) == [])
    #expect(operations.count > 40)
  }

  @Test func sameSeedSameGraph() {
    let (a, b) = (RandomGraph.model(seed: 7), RandomGraph.model(seed: 7))
    #expect(differences(between: a, and: b) == [])
    #expect(differences(between: a, and: RandomGraph.model(seed: 8)) != [])
  }
}

/// Holds one model against the properties.
private struct GraphProperties {
  struct Broken: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
  }

  private static let preparation =
    "fixpoint(eliminate-identities,fold-constants,fix-shape-constants,separate-shape-constants,"
    + "eliminate-dead-nodes),"

  private let model: Model
  private let seed: Int
  private let inputs: [Tensor]
  private let expected: [Tensor]
  /// Whether some channel has been taken out.
  private(set) var isPruned = false

  init(_ model: Model, seed: Int) throws {
    self.model = model
    self.seed = seed
    inputs = try SeededInputs(seed: UInt64(seed)).tensors(for: model.graph)
    expected = try ReferenceEvaluator(model.graph).run(inputs)
  }

  mutating func check() throws {
    try verify(model.graph, after: "generation")
    let warnings = try GraphFacts(of: model.graph).warnings
    guard warnings.isEmpty else { throw Broken("inference warns: \(warnings)") }
    try checkRoundTrips()
    try checkPreservingPasses()
    // On its own and on top of the other: heads and their dimensions are cut one after the other.
    let inner = try checkPruning(model.graph, .inner)
    _ = try checkPruning(model.graph, .outer)
    if seed % 4 == 0 { _ = try checkPruning(inner, .outer) }
  }

  private func verify(_ graph: Graph, after step: String) throws {
    let violations = Verifier.violations(in: graph)
    guard violations.isEmpty else { throw Broken("after \(step): \(violations)") }
  }

  private func checkRoundTrips() throws {
    let parsed = try parseModel(printModel(model))
    let read = try importModel(bytes: serialize(model)).model
    for (name, other) in [("printing and parsing", parsed), ("export and import", read)] {
      let found = differences(between: model, and: other)
      guard found.isEmpty else { throw Broken("\(name) changes the model: \(found)") }
    }
  }

  private func checkPreservingPasses() throws {
    for pass in allPasses.passes {
      guard case .preserving(let tolerance) = pass.effect else { continue }
      var graph = model.graph
      try run(pass.name, on: &graph)
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
      + "mask-channels{ratio=\(ratio) align=1},shrink-channels"
    var graph = original
    let context = try run(pipeline, on: &graph, direction)
    guard let masked = context.maskedGraph else { throw Broken("\(pipeline): no masked graph") }
    let reference = try ReferenceEvaluator(masked).run(inputs)
    try compare(graph, with: reference, tolerance: 1e-4, after: "\(direction) \(pipeline)")
    var lowered = masked
    try run("lower-masks", on: &lowered)
    try compare(lowered, with: reference, tolerance: 1e-5, after: "lower-masks")
    isPruned = isPruned || context.shrinkage?.keptIndices.isEmpty == false
    return graph
  }

  @discardableResult
  private func run(
    _ pipeline: String, on graph: inout Graph, _ direction: SplitDirection = .inner
  ) throws -> PassContext {
    var context = PassContext(original: graph)
    context.couplingOptions.direction = direction
    var options = PassManager.Options()
    options.verifyEach = true
    var manager = try PassManager(Pipeline(pipeline), registry: allPasses, options: options)
    do {
      try manager.run(on: &graph, &context)
    } catch {
      throw Broken("\(direction) \(pipeline): \(error)")
    }
    return context
  }

  private func compare(
    _ graph: Graph, with expected: [Tensor], tolerance: Double, after step: String
  ) throws {
    let actual = try ReferenceEvaluator(graph).run(inputs)
    let comparison = Comparison(actual, expected: expected)
    guard comparison.maxRelative <= tolerance else {
      throw Broken("after \(step): relative error \(comparison.maxRelative)")
    }
  }
}
