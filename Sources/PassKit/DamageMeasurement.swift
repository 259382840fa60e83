import LinearAlgebra

/// Measures what cutting one group alone does to the outputs of a graph, at several widths.
///
/// Of each width the least important channels go, by the scores; the weights of the layers behind make up for them on the
/// original's inputs,
///
///     W' = W C[:, k] (C[k, k] + r I)^-1
///
/// with C the covariance of what they read and k what stays. The cut graph runs on the samples, from the first node that
/// differs: all groups are measured in one pass through the graph.
public struct DamageMeasurement {
  private let graph: Graph
  private let facts: GraphFacts
  private let coupling: CouplingAnalysis
  private let scores: ChannelScores
  private let statistics: LayerStatistics
  private let places: [NodeID: Int]

  /// Thoroughness with which groups are measured.
  public struct Grid: Sendable {
    /// Samples that the cut graphs run on.
    public let samples: Int
    /// Fractions of a group's channels that are kept.
    public let fractions: [Double]
  }

  private static let fine = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.12, 0.06]
  private static let coarse = [0.8, 0.6, 0.4, 0.2, 0.08]

  /// From the most thorough to the quickest.
  private static let grids = [
    Grid(samples: 128, fractions: fine), Grid(samples: 64, fractions: fine),
    Grid(samples: 32, fractions: fine), Grid(samples: 32, fractions: coarse),
    Grid(samples: 16, fractions: coarse), Grid(samples: 8, fractions: coarse),
    Grid(samples: 4, fractions: coarse), Grid(samples: 2, fractions: [0.6, 0.25]),
  ]

  /// The most thorough grid that takes at most so many multiply-accumulate operations, or the quickest.
  public func grid(within macs: Double) -> Grid {
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
  private func groupsInOrder() -> [(index: Int, first: Int)] {
    coupling.groups.indices.filter { coupling.groups[$0].pin == nil }
      .map { (index: $0, first: firstPlace(of: coupling.groups[$0])) }
      .sorted { ($0.first, $0.index) < ($1.first, $1.index) }
  }

  public init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, _ scores: ChannelScores,
    _ statistics: LayerStatistics
  ) {
    (self.graph, self.facts, self.coupling) = (graph, facts, coupling)
    (self.scores, self.statistics) = (scores, statistics)
    places = Dictionary(uniqueKeysWithValues: graph.nodes.enumerated().map { ($1, $0) })
  }

  /// Measures all groups that may be cut on `batches`, those of `indices`. `progress` gets the share that is done.
  public func table(
    _ batches: some CalibrationBatches, indices: [Int], fractions: [Double],
    threadCount: Int = Session.processorCount, progress: ((Double) -> Void)? = nil
  ) throws(CompileError) -> DamageTable {
    let whole = Session(graph, threadCount: threadCount)
    let expected = try indices.map { (index) throws(CompileError) -> [Tensor] in
      try whole.run(try batches.tensors(ofBatch: index))
    }
    let run = try StagedRun(graph, batches, indices: indices, threadCount: threadCount)
    let order = Array(graph.nodes)
    let groups = groupsInOrder()
    var table = DamageTable(
      fractions: fractions,
      sampleCount: indices.reduce(0) { $0 + batches.sampleCount(ofBatch: $1) })
    for (done, (index, first)) in groups.enumerated() {
      progress?(Double(done) / Double(groups.count))
      try run.advance(before: order[first])
      let group = coupling.groups[index]
      var curve = DamageTable.Curve(count: group.count)
      let ranking = ranking(of: group)
      let consumers = statistics.consumers(of: group, graph)
      for fraction in fractions {
        let kept = DamageTable.kept(fraction, of: group.count)
        guard kept < curve.fewest else { continue }
        let removed = Set(ranking.prefix(group.count - kept))
        // A width at which the graph cannot be cut or run is not tried: the group keeps more.
        guard let cut = try? cut(index, removed, consumers),
          let outputs = try? outputs(of: cut, from: first, order, run)
        else { break }
        var divergence = OutputDivergence()
        for (place, batch) in indices.enumerated() {
          divergence.add(
            outputs[place], original: expected[place],
            sampleCount: batches.sampleCount(ofBatch: batch))
        }
        curve.add(kept: kept, divergence: divergence.mean)
      }
      table[group] = curve
    }
    return table
  }

  private func ranking(of group: ChannelGroup) -> [Int] {
    let values = scores.scores(of: group) ?? [Float](repeating: 1, count: group.count)
    return (0..<group.count).sorted { (values[$0], $0) < (values[$1], $1) }
  }

  /// The place of the first node that makes or reads the group's channels.
  private func firstPlace(of group: ChannelGroup) -> Int {
    let touched = group.members.flatMap { member -> [NodeID] in
      let uses = graph[member.axis.value].uses.compactMap(\.node)
      guard let maker = graph[member.axis.value].definingNode else { return uses }
      return uses + [maker]
    }
    return touched.compactMap { places[$0] }.min() ?? places.count - 1
  }

  /// The graph without channels of one group, the layers behind fitted to what is left.
  private func cut(
    _ group: Int, _ removed: Set<Int>, _ consumers: [ChannelConsumer]
  ) throws(CompileError) -> Graph {
    var cut = graph
    let stays = (0..<coupling.groups[group].count).filter { !removed.contains($0) }
    let kept = coupling.keptIndices(removing: [group: removed])
    let change = try GraphCut(graph, facts, keeping: kept)
    let newBiases = consumers.compactMap { compensate($0, keeping: stays, &cut) }
    change.perform(on: &cut)
    for bias in newBiases {
      let axis = Axis(bias.layer.layer.weight, bias.layer.layer.outputAxis)
      let elements = kept[axis].map { $0.map { bias.elements[$0] } } ?? bias.elements
      let (node, weight) = (bias.layer.layer.node, bias.layer.layer.weight)
      let type = graph[weight].constant!.elementType
      let added = cut.build(before: node, stem: cut[weight].name) {
        $0.addConstant(Tensor(rounding: elements, to: type, shape: [elements.count]), "bias")
      }
      cut.setInput(bias.operand, of: node, to: added)
    }
    return cut
  }

  /// A bias that a layer has not had before.
  private struct NewBias {
    let layer: FittableLayer
    let operand: Int
    let elements: [Float]
  }

  /// Fits the weights of a layer to the channels that stay, and its bias where it has one; else gives the bias that it needs.
  private func compensate(
    _ consumer: ChannelConsumer, keeping channels: [Int], _ graph: inout Graph
  ) -> NewBias? {
    let length = consumer.moments.inputs
    let kept = channels.flatMap { consumer.places[$0] }.sorted()
    let channelPlaces = Set(consumer.places.flatMap { $0 })
    // Of an axis that holds other groups, too, the rest stays.
    let others = (0..<length).filter { !channelPlaces.contains($0) }
    let places = (kept + others).sorted()
    let covariance = consumer.covariance
    let rows = consumer.matrix.count / length
    var left = [Double](repeating: 0, count: places.count * places.count)
    var columns = [Double](repeating: 0, count: length * places.count)
    let mean = (0..<length).reduce(0) { $0 + covariance[$1 * length + $1] } / Double(length)
    for (row, from) in places.enumerated() {
      for (column, to) in places.enumerated() {
        left[row * places.count + column] = covariance[from * length + to]
      }
      left[row * places.count + row] += 1e-2 * mean
    }
    for row in 0..<length {
      for (column, to) in places.enumerated() {
        columns[row * places.count + column] =
          covariance[row * length + to] + (row == to ? 1e-2 * mean : 0)
      }
    }
    let right = LinearAlgebra.product(
      consumer.matrix, columns, m: rows, k: length, n: places.count)
    guard let solution = LinearAlgebra.solve(left, right, n: places.count, count: rows),
      solution.allSatisfy(\.isFinite)
    else { return nil }
    var matrix = [Double](repeating: 0, count: rows * length)
    for row in 0..<rows {
      for (column, place) in places.enumerated() {
        matrix[row * length + place] = solution[row * places.count + column]
      }
    }
    return set(matrix, consumer, &graph)
  }

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
      let old = graph[value].constant!
      graph.setTensor(
        of: value, to: Tensor(rounding: biases, to: old.elementType, shape: old.shape))
      return nil
    case .absent(let operand): return NewBias(layer: layer, operand: operand, elements: biases)
    case .impossible: return nil
    }
  }

  /// The outputs of a cut graph, run from a place on the values that are there.
  private func outputs(
    of cut: Graph, from first: Int, _ order: [NodeID], _ run: StagedRun
  ) throws(CompileError) -> [[Tensor]] {
    try run.outputs(of: cut, nodes: Array(order[first...]))
  }
}
