import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Statistics of the inputs of a graph's layers on samples: sums over their rows.
package struct LayerStatistics: Sendable {
  /// For each layer's node.
  private var sums: [NodeID: Moments] = [:]
  private var layers: [NodeID: FittableLayer] = [:]
  /// A number for each sample (`SampleFingerprints`).
  package let samples: [UInt64]
  /// The types of the inputs of the first batch.
  package let inputTypes: [TensorType]

  /// Positions of a layer's result that are looked at, by default.
  package static let rowLimit = 60_000
  /// Number of samples that these positions are shared out among, by default.
  package static let expectedSampleCount = 256
  /// Rows that are enough for a layer, for each element of a row, and at least: many more rows than unknowns tell nothing more.
  private static let (rowsPerUnknown, fewestRows) = (12, 20_000)
  /// Longest row whose moments are kept.
  package static let lengthLimit = 8192

  /// Runs `graph` on all batches and looks at the layers for which `isWanted` holds. `progress` gets the share that is done.
  ///
  /// The samples are `sampleCount` or a part of as many: each gives its share of `rowLimit` positions, which depends on nothing else.
  package init(
    of graph: Graph, _ batches: some CalibrationBatches, rowLimit: Int = rowLimit,
    sampleCount: Int = expectedSampleCount, seed: UInt64 = 0,
    where isWanted: (FittableLayer) -> Bool
  ) throws(CompileError) {
    var heads: HeadMoments?
    try self.init(
      of: graph, batches, rowLimit: rowLimit, sampleCount: sampleCount, seed: seed,
      where: isWanted, heads: &heads)
  }

  /// The same, and in the same run what `heads` match and mix, if there are any.
  package init(
    of graph: Graph, _ batches: some CalibrationBatches, rowLimit: Int, sampleCount: Int,
    seed: UInt64, where isWanted: (FittableLayer) -> Bool, heads: inout HeadMoments?,
    progress: ((Double) -> Void)? = nil
  ) throws(CompileError) {
    let run = try StagedRun(graph, batches)
    let numbers = (0..<run.batchCount).map { batch in
      SampleFingerprints.all(
        of: graph.inputs.compactMap { run.tensor($0, ofBatch: batch) },
        count: batches.sampleCount(ofBatch: batch))
    }
    samples = numbers.flatMap { $0 }
    inputTypes = graph.inputs.compactMap { input in
      run.tensor(input, ofBatch: 0).map { TensorType($0.elementType, fixed: $0.shape) }
    }
    let shares = (0..<run.batchCount).map { batch -> HeadMoments.Share in
      let extent = graph.inputs.first.flatMap { run.tensor($0, ofBatch: batch)?.shape.first } ?? 1
      return (samples: batches.sampleCount(ofBatch: batch), extent: extent)
    }
    let axes = SampleAxes(graph, inputTypes, run.facts)
    let nodes = Array(graph.nodes)
    let products = RowProducts()
    for (index, node) in nodes.enumerated() {
      progress?(Double(index) / Double(nodes.count))
      if let layer = Self.layer(of: node, graph, run.facts), isWanted(layer) {
        try run.advance(before: node)
        let limit = Self.rowCount(layer.form, limit: rowLimit) / max(1, sampleCount)
        let chooser = SamplePositions(
          limit: max(1, limit), seed: seed &+ UInt64(index) &* 0x9E37)
        let axis = axes.axis(of: layer.layer.data)
        sums[node] = try Self.moments(of: layer, run, products, samplesAlong: axis) {
          chooser.choose(of: $1, samples: numbers[$0], extent: shares[$0].extent)
        }
        layers[node] = layer
      }
      try heads?.collect(node, run, shares, products)
    }
  }

  /// Sums over what a layer reads of all batches. `axis` is the one of its data that samples lie along; `choose` gives the positions of a
  /// batch, in its layout.
  private static func moments(
    of layer: FittableLayer, _ run: StagedRun, _ products: RowProducts, samplesAlong axis: Int?,
    choose: (_ batch: Int, _ layout: SamplePositions.Layout) -> [Int]
  ) throws(CompileError) -> Moments {
    let length = layer.form.rowLength
    try MemoryLimit.ask(
      8 * length * length, for: "statistics", at: run.graph.location(of: layer.layer.node))
    var moments = MomentsAccumulator(inputs: length, outputs: 0)
    for batch in 0..<run.batchCount {
      guard let data = run.tensor(layer.layer.data, ofBatch: batch),
        let shape = run.facts(ofBatch: batch)[layer.layer.result].fixedShape
      else { continue }
      let positions = choose(
        batch, layer.form.layout(data: data.shape, result: shape, samplesAlong: axis))
      let rows = layer.form.rows(of: data, at: positions, result: shape, group: 0)
      try moments.add(rows, [], count: positions.count, products)
    }
    return try moments.finish(products)
  }

  /// Rows of a layer that are looked at.
  static func rowCount(_ form: LayerForm, limit: Int) -> Int {
    min(limit, max(fewestRows, rowsPerUnknown * form.rowLength))
  }

  /// Takes sums that have been collected before for `graph`.
  ///
  /// Throws a malformed error where they are about other layers.
  package init(of graph: Graph, _ stored: StatisticsSums) throws(CompileError) {
    (samples, inputTypes) = (stored.samples, stored.inputTypes)
    guard inputTypes.count == graph.inputs.count else {
      throw CompileError(.malformed, "has statistics of a model with other inputs")
    }
    let facts = try GraphFacts(of: graph.withInputs(inputTypes))
    for (place, node) in graph.nodes.enumerated() {
      guard let moments = stored.moments[StatisticsSums.name(ofLayerAt: place)] else { continue }
      guard let layer = Self.layer(of: node, graph, facts), layer.form.rowLength == moments.inputs
      else {
        throw CompileError(
          .malformed, "has statistics that do not fit the layer", at: graph.location(of: node))
      }
      sums[node] = moments
      layers[node] = layer
    }
  }

  /// The layer that a node is, where its moments can be kept.
  private static func layer(of node: NodeID, _ graph: Graph, _ facts: GraphFacts) -> FittableLayer?
  {
    guard let layer = FittableLayer(node, graph, facts), layer.form.groups == 1,
      layer.form.rowLength <= lengthLimit
    else { return nil }
    return layer
  }

  /// The sums by name, as `StatisticsSums` has them.
  package func sums(in graph: Graph) -> [String: Moments] {
    var named: [String: Moments] = [:]
    for (place, node) in graph.nodes.enumerated() {
      if let moments = sums[node] { named[StatisticsSums.name(ofLayerAt: place)] = moments }
    }
    return named
  }

  /// Layers and the sums over what they read, in the order of their nodes.
  package var entries: [(layer: FittableLayer, moments: Moments)] {
    layers.keys.sorted().compactMap { node in
      sums[node].flatMap { $0.count > 0 ? (layers[node]!, $0) : nil }
    }
  }

  /// Follows a change of the graph: the elements `indices` of what a layer of one tap reads have been multiplied with `matrix [n, n]`.
  package mutating func turnInputs(of node: NodeID, _ indices: [Int], by matrix: [Double]) {
    if let moments = sums[node] { sums[node] = moments.turned(indices, by: matrix) }
  }

  /// The consumers of a group's channels whose inputs are known.
  package func consumers(of group: ChannelGroup, _ graph: Graph) -> [ChannelConsumer] {
    let members = Dictionary(uniqueKeysWithValues: group.members.map { ($0.axis, $0) })
    return entries.compactMap { layer, moments in
      guard
        let axis = layer.form.inputAxes.first(where: {
          members[Axis(layer.layer.weight, $0)] != nil
        }), let member = members[Axis(layer.layer.weight, axis)],
        let weight = graph[layer.layer.weight].constant
      else { return nil }
      let elements = layer.form.rowElements(alongInput: axis)
      return ChannelConsumer(
        layer: layer, moments: moments,
        matrix: layer.form.matrix(of: weight, group: 0).map(Double.init),
        places: (0..<group.count).map { channel in
          member.indices(ofChannel: channel).flatMap { elements[Int($0)] }
        })
    }
  }
}
