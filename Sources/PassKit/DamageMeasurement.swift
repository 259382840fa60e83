import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecRuntime
import PrunecSelection
import PrunecSemantics
import PrunecTensors

/// Measures what cutting one group alone does to the outputs of a graph, at several widths.
///
/// Of each width the least important channels go, by the scores; the weights of the layers behind make up for them on the
/// original's inputs (`NestedFit`). The cut graph runs on the samples, from the first node that differs: all groups are measured
/// in one pass through the graph.
package struct DamageMeasurement: Sendable {
  private let graph: Graph
  private let facts: GraphFacts
  private let coupling: CouplingAnalysis
  private let scores: ChannelScores
  private let statistics: LayerStatistics
  private let places: [NodeID: Int]

  /// Thoroughness with which groups are measured.
  package struct Grid: Sendable {
    /// Samples that the cut graphs run on.
    package let samples: Int
    /// Fractions of a group's channels that are kept.
    package let fractions: [Double]
  }

  private static let fine = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.12, 0.06]
  private static let coarse = [0.8, 0.6, 0.4, 0.2, 0.08]

  /// From the most thorough to the quickest.
  private static let grids = [
    Grid(samples: 128, fractions: fine), Grid(samples: 64, fractions: fine),
    Grid(samples: 32, fractions: fine), Grid(samples: 32, fractions: coarse),
    Grid(samples: 16, fractions: coarse), Grid(samples: 8, fractions: coarse),
    Grid(samples: 8, fractions: [0.6, 0.25]),
  ]

  /// The most thorough grid that takes at most so many multiply-accumulate operations, or the quickest; counted for inputs of `shapes`,
  /// since the graph may leave extents open.
  package func grid(within macs: Double, _ shapes: InputShapes) -> Grid {
    let facts = GraphFacts.sized(graph, facts, by: shapes)
    let ends = groupsInOrder().map { group in
      graph.nodes.reduce(0.0) { sum, node in
        guard places[node]! >= group.first, let (found, call) = facts.invocation(of: node) else {
          return sum
        }
        return sum + Double(found.macs(call))
      }
    }
    // Cut graphs cost less than whole ones; half of them on average.
    let once = ends.reduce(0, +) * 0.75
    return Self.grids.first {
      once * Double($0.samples * $0.fractions.count) <= macs
    } ?? Self.grids.last!
  }

  /// The groups that may be cut, in the order of the first node that makes or reads their channels.
  private func groupsInOrder() -> [(index: Int, first: Int, last: Int)] {
    coupling.groups.indices.filter { coupling.groups[$0].pin == nil }
      .map { index in
        let places = places(of: coupling.groups[index])
        return (index: index, first: places.lowerBound, last: places.upperBound)
      }
      .sorted { ($0.first, $0.index) < ($1.first, $1.index) }
  }

  package init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, _ scores: ChannelScores,
    _ statistics: LayerStatistics
  ) {
    (self.graph, self.facts, self.coupling) = (graph, facts, coupling)
    (self.scores, self.statistics) = (scores, statistics)
    places = Dictionary(uniqueKeysWithValues: graph.nodes.enumerated().map { ($1, $0) })
  }

  /// Measures all groups that may be cut on `batches`. `progress` gets the share that is done.
  package func table(
    _ batches: some CalibrationBatches, fractions: [Double],
    threadCount: Int = Session.processorCount, progress: ((Double) -> Void)? = nil
  ) throws(CompileError) -> DamageTable {
    let whole = Session(graph, threadCount: threadCount)
    let expected = try (0..<batches.count).map { (index) throws(CompileError) -> [Tensor] in
      try whole.run(try batches.tensors(ofBatch: index))
    }
    let run = try StagedRun(graph, batches, threadCount: threadCount)
    let order = Array(graph.nodes)
    let groups = groupsInOrder()
    var table = DamageTable(fractions: fractions, sampleCount: batches.sampleCount)
    for start in stride(from: 0, to: groups.count, by: Self.groupsAtOnce) {
      let some = groups[start..<min(start + Self.groupsAtOnce, groups.count)]
      // The weights are computed for some groups at the same time; runs use all processors by themselves.
      let fits = concurrentMap(some.map(\.index)) { Fit(of: $0, fractions, in: self) }
      for (done, (place, fit)) in zip(some, fits).enumerated() {
        progress?(Double(start + done) / Double(groups.count))
        try run.advance(before: order[place.first])
        table[coupling.groups[place.index]] = curve(
          fit, run, Array(order[place.first...place.last]), batches, expected)
      }
    }
    return table
  }

  /// Groups whose weights are held at the same time.
  private static let groupsAtOnce = 2

  /// A group, the channels that go at each width, and the weights that make up for them.
  private struct Fit: Sendable {
    let group: Int
    let ranking: [Int]
    let widths: [Int]
    let consumers: [ChannelConsumer]
    /// For each width, for each consumer; `nil` where there are none.
    let matrices: [[[Double]?]]

    init(of index: Int, _ fractions: [Double], in measurement: DamageMeasurement) {
      let group = measurement.coupling.groups[index]
      self.group = index
      ranking = measurement.ranking(of: group)
      widths = measurement.widths(of: group, fractions)
      consumers = measurement.statistics.consumers(of: group, measurement.graph)
      matrices = DamageMeasurement.matrices(of: consumers, ranking, widths)
    }
  }

  /// The damage of a group at each width; `nodes` are those from the first to the last that the cut changes.
  private func curve(
    _ fit: Fit, _ run: StagedRun, _ nodes: [NodeID], _ batches: some CalibrationBatches,
    _ expected: [[Tensor]]
  ) -> DamageTable.Curve {
    let count = coupling.groups[fit.group].count
    var curve = DamageTable.Curve(count: count)
    let remainder = run.remainder(behind: nodes[nodes.count - 1])
    for (kept, matrices) in zip(fit.widths, fit.matrices) {
      let removed = Set(fit.ranking.prefix(count - kept))
      // A width at which the graph cannot be cut or run is not tried: the group keeps more.
      guard let cut = try? cut(fit.group, removed, fit.consumers, matrices),
        let outputs = try? run.outputs(of: cut, nodes: nodes, then: remainder)
      else { break }
      var divergence = OutputDivergence()
      for batch in 0..<batches.count {
        divergence.add(
          outputs[batch], original: expected[batch],
          sampleCount: batches.sampleCount(ofBatch: batch))
      }
      curve.add(kept: kept, divergence: divergence.mean)
    }
    return curve
  }

  /// The numbers of channels that fractions of a group are, each once, without all of them.
  private func widths(of group: ChannelGroup, _ fractions: [Double]) -> [Int] {
    var widths: [Int] = []
    for fraction in fractions {
      let kept = DamageTable.kept(fraction, of: group.count)
      if kept < widths.last ?? group.count { widths.append(kept) }
    }
    return widths
  }

  /// For each width, for each consumer the weights that make up for what is gone; `nil` where there are none.
  private static func matrices(
    of consumers: [ChannelConsumer], _ ranking: [Int], _ widths: [Int]
  ) -> [[[Double]?]] {
    let fits = concurrentMap(consumers) { NestedFit($0, ranking: ranking) }
    let pairs = widths.flatMap { width in fits.map { (fit: $0, width: width) } }
    let matrices = concurrentMap(pairs) { $0.fit?.matrix(keeping: $0.width) }
    return widths.indices.map { Array(matrices[($0 * fits.count)..<(($0 + 1) * fits.count)]) }
  }

  private func ranking(of group: ChannelGroup) -> [Int] {
    let values = scores.scores(of: group) ?? [Float](repeating: 1, count: group.count)
    return (0..<group.count).sorted { (values[$0], $0) < (values[$1], $1) }
  }

  /// The places from the first to the last node that makes or reads the group's channels.
  private func places(of group: ChannelGroup) -> ClosedRange<Int> {
    let touched = group.members.flatMap { member -> [NodeID] in
      let uses = graph[member.axis.value].uses.compactMap(\.node)
      guard let maker = graph[member.axis.value].definingNode else { return uses }
      return uses + [maker]
    }
    let found = touched.compactMap { places[$0] }
    let end = places.count - 1
    return (found.min() ?? end)...(found.max() ?? end)
  }

  /// The graph without channels of one group, the layers behind fitted to what is left.
  private func cut(
    _ group: Int, _ removed: Set<Int>, _ consumers: [ChannelConsumer], _ matrices: [[Double]?]
  ) throws(CompileError) -> Graph {
    var cut = graph
    let kept = coupling.keptIndices(removing: [group: removed])
    let change = try GraphCut(graph, facts, keeping: kept)
    let newBiases = zip(consumers, matrices).compactMap { consumer, matrix in
      matrix.flatMap { set($0, consumer, &cut) }
    }
    change.perform(on: &cut)
    for bias in newBiases {
      let layer = bias.layer.layer
      let axis = Axis(layer.weight, layer.outputAxis)
      var tensor = bias.tensor
      if let own = kept[axis], let count = graph[layer.weight].constant?.shape[axis.index] {
        let last = tensor.rank - 1
        let blocks = tensor.shape[last] / max(1, count)
        tensor = tensor.keeping(
          BiasForm.indices(of: own, count: count, blocks: blocks), alongAxis: last)
      }
      let added = cut.build(before: layer.node, stem: cut[layer.weight].name) {
        $0.addConstant(tensor, "bias")
      }
      cut.setInput(bias.operand, of: layer.node, to: added)
    }
    return cut
  }

  /// A bias that a layer has not had before.
  private struct NewBias {
    let layer: FittableLayer
    let operand: Int
    let tensor: Tensor
  }

  /// Replaces the weights of a layer, and its bias where it has one; else gives the bias that it needs.
  private func set(_ matrix: [Double], _ consumer: ChannelConsumer, _ graph: inout Graph)
    -> NewBias?
  {
    let (layer, length) = (consumer.layer, consumer.moments.inputs)
    let weight = graph[layer.layer.weight].constant!
    var elements = weight.floats
    layer.form.put(matrix.map(Float.init), group: 0, into: &elements)
    graph.setTensor(
      of: layer.layer.weight,
      to: Tensor(rounding: elements, to: weight.elementType, shape: weight.shape))
    // The means of what is left stand in for those of what has gone.
    guard var biases = layer.biasElements(graph) else { return nil }
    let means = consumer.moments.inputMean
    for row in biases.indices {
      var shift = 0.0
      for column in 0..<length {
        shift +=
          (consumer.matrix[row * length + column] - matrix[row * length + column]) * means[column]
      }
      biases[row] += Float(shift)
    }
    switch layer.bias {
    case .constant(let value):
      graph.setTensor(of: value, to: layer.bias(biases, replacing: graph[value].constant!))
      return nil
    case .absent(let operand):
      return NewBias(
        layer: layer, operand: operand, tensor: layer.newBias(biases, weight.elementType))
    case .impossible: return nil
    }
  }
}
