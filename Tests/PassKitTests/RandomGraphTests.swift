import Foundation
import PrunecGraphIR
import PrunecTestSupport
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
      var isPruned = false
      let report = failureReport(of: RandomGraph.model(seed: UInt64(seed)), seed: seed) { model in
        var properties = try GraphProperties(model, seed: seed)
        try properties.check()
        isPruned = properties.isPruned
      }
      if let report { Issue.record("\(report)") }
      if isPruned { prunedCount += 1 }
    }
    // The properties of pruning mean nothing where nothing can be pruned.
    #expect(prunedCount * 2 >= seeds.count)
  }

  /// Graphs that were wrong once, and intricate ones, each small.
  @Test(arguments: try ReducedGraph.all())
  func propertiesHold(of graph: ReducedGraph) throws {
    var isPruned = false
    for seed in graph.seeds {
      var properties = try GraphProperties(graph.model, seed: seed)
      try properties.check()
      isPruned = isPruned || properties.isPruned
    }
    #expect(isPruned)
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
