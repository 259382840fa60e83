import PrunecGraphIR
import PrunecTensors

/// Second moments of what attention heads match and mix, on samples.
package struct HeadMoments: Sendable {
  private let heads: AttentionHeads
  /// For each matching, for each head of keys: of each head of queries that meets it.
  package private(set) var queries: [[[Moments]]]
  /// For each matching, for each head: of the keys, less their mean over the positions of a sample.
  package private(set) var keys: [[Moments]]
  /// For each mixing, for each head of values: of what is mixed of them.
  package private(set) var mixed: [[Moments]]

  package init(_ heads: AttentionHeads) {
    self.heads = heads
    queries = heads.matchings.map { matching in
      matching.heads.map { head in
        head.queries.map { Moments(inputs: $0.count, outputs: 0) }
      }
    }
    keys = heads.matchings.map { matching in
      matching.heads.map { Moments(inputs: $0.keys.count, outputs: 0) }
    }
    mixed = heads.mixings.map { mixing in
      mixing.heads.map { Moments(inputs: $0.values.count, outputs: 0) }
    }
  }

  /// Runs `graph` on all batches.
  package mutating func collect(
    _ graph: Graph, _ batches: some CalibrationBatches, _ progress: ((Double) -> Void)?
  ) throws(CompileError) {
    let run = try StagedRun(graph, batches)
    let nodes = Array(graph.nodes)
    let products = RowProducts()
    for (place, node) in nodes.enumerated() {
      let results = Set(graph[node].outputs.compactMap { $0 })
      let matching = heads.matchings.indices.filter {
        results.contains(heads.matchings[$0].query.result)
          || results.contains(heads.matchings[$0].key.result)
      }
      let mixing = heads.mixings.indices.filter { results.contains(heads.mixings[$0].result) }
      guard !matching.isEmpty || !mixing.isEmpty else { continue }
      progress?(Double(place) / Double(nodes.count))
      try run.advance(past: node)
      for batch in 0..<run.batchCount {
        for index in matching { try add(matching: index, results, run, batch, products) }
        for index in mixing { try add(mixing: index, run, batch, products) }
      }
    }
  }

  private mutating func add(
    matching index: Int, _ results: Set<ValueID>, _ run: StagedRun, _ batch: Int,
    _ products: RowProducts
  ) throws(CompileError) {
    let matching = heads.matchings[index]
    if results.contains(matching.query.result),
      let tensor = run.tensor(matching.query.result, ofBatch: batch)
    {
      let positions = Array(0..<matching.query.form.positionCount(ofResult: tensor.shape))
      for (head, (_, lists)) in matching.heads.enumerated() {
        for (place, channels) in lists.enumerated() {
          let rows = matching.query.form.results(of: tensor, at: positions, channels: channels)
          try queries[index][head][place].add(rows, [], count: positions.count, products)
        }
      }
    }
    if results.contains(matching.key.result),
      let tensor = run.tensor(matching.key.result, ofBatch: batch)
    {
      let form = matching.key.form
      let count = form.positionCount(ofResult: tensor.shape)
      // Positions of one sample lie together where there is an axis of samples before that of positions.
      let samples = tensor.rank >= 3 ? tensor.shape[0] : 1
      let length = count / max(1, samples)
      for sample in 0..<samples {
        let positions = Array((sample * length)..<((sample + 1) * length))
        for (head, (channels, _)) in matching.heads.enumerated() {
          let rows = form.results(of: tensor, at: positions, channels: channels)
          try keys[index][head].add(
            Self.centred(rows, channels.count), [], count: length, products)
        }
      }
    }
  }

  private mutating func add(
    mixing index: Int, _ run: StagedRun, _ batch: Int, _ products: RowProducts
  ) throws(CompileError) {
    let mixing = heads.mixings[index]
    guard let tensor = run.tensor(mixing.result, ofBatch: batch), tensor.rank >= 2 else { return }
    let (rows, width) = (tensor.shape[tensor.rank - 2], tensor.shape[tensor.rank - 1])
    let perSample = max(1, mixing.heads.reduce(0) { $0 + $1.outputs.count })
    let elements = tensor.floats
    let size = rows * width
    for sample in 0..<(tensor.count / max(1, size * perSample)) {
      for (head, (_, outputs)) in mixing.heads.enumerated() {
        for output in outputs {
          let start = (sample * perSample + output.place) * size
          try mixed[index][head].add(
            Array(elements[start..<(start + size)]), [], count: rows, products)
        }
      }
    }
  }

  /// Rows less their mean.
  private static func centred(_ rows: [Float], _ width: Int) -> [Float] {
    let count = rows.count / max(1, width)
    var means = [Double](repeating: 0, count: width)
    for index in rows.indices {
      means[index % width] += Double(rows[index]) / Double(max(1, count))
    }
    return rows.indices.map { rows[$0] - Float(means[$0 % width]) }
  }
}
