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

  /// Positions of a layer's result that are looked at, by default.
  package static let rowLimit = 60_000
  /// Rows that are enough for a layer, for each element of a row, and at least: many more rows than unknowns tell nothing more.
  private static let (rowsPerUnknown, fewestRows) = (12, 20_000)
  /// Longest row whose moments are kept.
  private static let lengthLimit = 8192

  /// Runs `graph` on all batches and looks at the layers for which `isWanted` holds. `progress` gets the share that is done.
  package init(
    of graph: Graph, _ batches: some CalibrationBatches, rowLimit: Int = rowLimit, seed: UInt64 = 0,
    where isWanted: (FittableLayer) -> Bool, progress: ((Double) -> Void)? = nil
  ) throws(CompileError) {
    let run = try StagedRun(graph, batches)
    let nodes = Array(graph.nodes)
    let products = RowProducts()
    for (index, node) in nodes.enumerated() {
      progress?(Double(index) / Double(nodes.count))
      guard let layer = FittableLayer(node, graph, run.facts), layer.form.groups == 1,
        layer.form.rowLength <= Self.lengthLimit, isWanted(layer)
      else { continue }
      try run.advance(before: node)
      let limit = max(1, Self.rowCount(layer.form, limit: rowLimit) / run.batchCount)
      var moments = Moments(inputs: layer.form.rowLength, outputs: 0)
      var chooser = Positions(seed: seed &+ UInt64(node.rawValue))
      for batch in 0..<run.batchCount {
        guard let data = run.tensor(layer.layer.data, ofBatch: batch),
          let shape = run.facts(ofBatch: batch)[layer.layer.result].fixedShape
        else { continue }
        let positions = chooser.choose(
          limit, of: layer.form.positionCount(data: data.shape, result: shape))
        let rows = layer.form.rows(of: data, at: positions, result: shape, group: 0)
        try moments.add(rows, [], count: positions.count, products)
      }
      sums[node] = moments
      layers[node] = layer
    }
  }

  /// Rows of a layer that are looked at.
  static func rowCount(_ form: LayerForm, limit: Int) -> Int {
    min(limit, max(fewestRows, rowsPerUnknown * form.rowLength))
  }

  /// The consumers of a group's channels whose inputs are known.
  package func consumers(of group: ChannelGroup, _ graph: Graph) -> [ChannelConsumer] {
    let members = Dictionary(uniqueKeysWithValues: group.members.map { ($0.axis, $0) })
    return layers.keys.sorted().compactMap { node in
      guard let layer = layers[node], let moments = sums[node], moments.count > 0,
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
