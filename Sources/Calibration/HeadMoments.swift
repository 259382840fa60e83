import PrunecGraphIR
import PrunecTensors

/// Second moments of what attention heads match and mix, on samples.
package struct HeadMoments: Sendable {
  package let heads: AttentionHeads
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

  /// Takes sums that have been collected before.
  ///
  /// Throws a malformed error where they are about other heads.
  package init(_ heads: AttentionHeads, _ stored: StatisticsSums) throws(CompileError) {
    self.init(heads)
    for (name, moments) in sums {
      guard let found = stored.moments[name], found.inputs == moments.inputs else {
        throw CompileError(.malformed, "has no statistics of the model's attention heads")
      }
      let path = name.split(separator: "/").compactMap { Int($0) }
      switch name.prefix(1) {
      case "q": queries[path[0]][path[1]][path[2]] = found
      case "k": keys[path[0]][path[1]] = found
      default: mixed[path[0]][path[1]] = found
      }
    }
  }

  /// The sums by name, as `StatisticsSums` has them: `queries/I/J/K`, `keys/I/J`, `mixed/I/J`, by the indices of the arrays.
  package var sums: [String: Moments] {
    var named: [String: Moments] = [:]
    for (index, heads) in queries.enumerated() {
      for (head, parts) in heads.enumerated() {
        for (part, moments) in parts.enumerated() {
          named["queries/\(index)/\(head)/\(part)"] = moments
        }
      }
    }
    for (kind, lists) in [("keys", keys), ("mixed", mixed)] {
      for (index, heads) in lists.enumerated() {
        for (head, moments) in heads.enumerated() {
          named["\(kind)/\(index)/\(head)"] = moments
        }
      }
    }
    return named
  }

  /// Runs a graph up to a node whose results heads match or mix, and adds these. `shares` has one element for each batch.
  mutating func collect(
    _ node: NodeID, _ run: StagedRun, _ shares: [Share], _ products: RowProducts
  ) throws(CompileError) {
    let results = Set(run.graph[node].outputs.compactMap { $0 })
    let matching = heads.matchings.indices.filter {
      results.contains(heads.matchings[$0].query.result)
        || results.contains(heads.matchings[$0].key.result)
    }
    let mixing = heads.mixings.indices.filter { results.contains(heads.mixings[$0].result) }
    guard !matching.isEmpty || !mixing.isEmpty else { return }
    try run.advance(past: node)
    for (batch, share) in shares.enumerated() {
      for index in matching { try add(matching: index, results, run, batch, share, products) }
      for index in mixing { try add(mixing: index, run, batch, share, products) }
    }
  }

  /// Number of samples of a batch that count, and of all that are in it: others fill up a batch of fixed size.
  typealias Share = (samples: Int, extent: Int)

  /// The part of `count` rows that belongs to samples that count: they come first.
  private static func counted(_ count: Int, _ share: Share) -> Int {
    guard share.samples < share.extent, count % share.extent == 0 else { return count }
    return count / share.extent * share.samples
  }

  private mutating func add(
    matching index: Int, _ results: Set<ValueID>, _ run: StagedRun, _ batch: Int, _ share: Share,
    _ products: RowProducts
  ) throws(CompileError) {
    let matching = heads.matchings[index]
    if results.contains(matching.query.result),
      let tensor = run.tensor(matching.query.result, ofBatch: batch)
    {
      let count = matching.query.form.positionCount(ofResult: tensor.shape)
      let positions = Array(0..<Self.counted(count, share))
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
      for sample in 0..<Self.counted(samples, share) {
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
    mixing index: Int, _ run: StagedRun, _ batch: Int, _ share: Share, _ products: RowProducts
  ) throws(CompileError) {
    let mixing = heads.mixings[index]
    guard let tensor = run.tensor(mixing.result, ofBatch: batch), tensor.rank >= 2 else { return }
    let (rows, width) = (tensor.shape[tensor.rank - 2], tensor.shape[tensor.rank - 1])
    let perSample = max(1, mixing.heads.reduce(0) { $0 + $1.outputs.count })
    let elements = tensor.floats
    let size = rows * width
    let samples = tensor.count / max(1, size * perSample)
    for sample in 0..<Self.counted(samples, share) {
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
