import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// The heads of an attention block that is spelled out in products: which channels of which layers are the queries, keys and
/// values of each, and which inputs of the output projection.
///
///     scores = MatMul(q, transposed k);  z = MatMul(Softmax(scores), v);  y = z O
///
/// Between the layers and the products there may be anything that arranges channels and scales them (`ChannelTrace`). Normalized
/// or rotated queries and keys are no such thing; heads that share keys and values are.
package struct AttentionHeads: Sendable {
  /// Queries that share keys.
  package struct Matching: Sendable {
    package let query, key: FittableLayer
    /// For each head of keys, the channels of its dimensions, and those of each head of queries that meets it.
    package let heads: [(keys: [Int], queries: [[Int]])]
  }

  /// Values and the inputs of the output projection that are made of them.
  package struct Mixing: Sendable {
    package let value, output: FittableLayer
    /// The result of the product.
    package let result: ValueID
    /// For each head of values, the channels of its dimensions, and for each head of the result the inputs of the projection and
    /// its place among the matrices of the result.
    package let heads: [(values: [Int], outputs: [(inputs: [Int], place: Int)])]
  }

  package let matchings: [Matching]
  package let mixings: [Mixing]

  /// All heads of a graph. `facts` have numbers for all extents, and one sample.
  package init(in graph: Graph, _ facts: GraphFacts) {
    let layers = graph.nodes.flatMap { node -> [FittableLayer] in
      let found = LinearLayer.layers(of: node, graph, facts)
      return found.count == 1 ? found.compactMap { FittableLayer($0, graph, facts) } : []
    }.filter { $0.form.groups == 1 && $0.form.taps == 1 && $0.form.isPlain }
    let search = Search(graph: graph, facts: facts, layers: layers)
    let products = graph.nodes.filter { search.isProductOfComputed($0) }
    var candidates = products.flatMap { search.candidates($0) }
    // What one product needs whole, another must not turn: each refusal may take others along.
    var count: Int
    repeat {
      count = candidates.count
      candidates = search.withoutSharing(candidates)
      let ends = Set(candidates.map(\.product))
      let onTheWay = Set(candidates.flatMap(\.nodes))
      candidates = candidates.filter { candidate in
        candidate.turned.allSatisfy { search.isPrivate($0.layer.result, onTheWay, ends) }
          && (candidate.mixing.map {
            search.isPrivate($0.result, onTheWay, [$0.output.layer.node])
          } ?? true)
      }
    } while candidates.count < count
    matchings = candidates.compactMap(\.matching)
    mixings = candidates.compactMap(\.mixing)
  }

  /// All heads of a graph whose inputs have `types`; one sample of them is looked at, or all where the model takes only so many at
  /// once.
  package init(in graph: Graph, inputTypes types: [TensorType]) throws(CompileError) {
    let single = types.map { type in
      let shape = type.fixedShape ?? []
      return TensorType(
        type.elementType ?? .float32, fixed: shape.isEmpty ? [] : [1] + shape.dropFirst())
    }
    if let facts = try? GraphFacts(of: graph.withInputs(single)) {
      self.init(in: graph, facts)
    } else {
      self.init(in: graph, try GraphFacts(of: graph))
    }
  }

  private struct Channel: Hashable {
    let layer: NodeID
    let index: Int
  }

  /// What a product is found to be.
  private struct Candidate {
    let product: NodeID
    var matching: Matching?
    var mixing: Mixing?
    /// The nodes between layers and product.
    let nodes: [NodeID]

    /// The layers whose results are turned, with the channels.
    var turned: [(layer: FittableLayer, channels: [Int])] {
      if let matching {
        return [
          (matching.query, matching.heads.flatMap { $0.queries.flatMap { $0 } }),
          (matching.key, matching.heads.flatMap(\.keys)),
        ]
      }
      return mixing.map { [($0.value, $0.heads.flatMap(\.values))] } ?? []
    }
  }

  private struct Search {
    let graph: Graph
    let facts: GraphFacts
    let layers: [FittableLayer]

    func candidates(_ product: NodeID) -> [Candidate] {
      [
        matching(product).map { Candidate(product: product, matching: $0.found, nodes: $0.nodes) },
        mixing(product).map { Candidate(product: product, mixing: $0.found, nodes: $0.nodes) },
      ].compactMap { $0 }
    }

    /// The candidates that turn no channel which they or another one turn as well.
    func withoutSharing(_ candidates: [Candidate]) -> [Candidate] {
      func channels(_ candidate: Candidate) -> [Channel] {
        candidate.turned.flatMap { part in
          part.channels.map { Channel(layer: part.layer.layer.node, index: $0) }
        }
      }
      var counts: [Channel: Int] = [:]
      for channel in candidates.flatMap(channels) { counts[channel, default: 0] += 1 }
      return candidates.filter { channels($0).allSatisfy { counts[$0] == 1 } }
    }

    func isProductOfComputed(_ id: NodeID) -> Bool {
      let node = graph[id]
      guard node.operation == OperationName("MatMul") else { return false }
      return node.inputs.allSatisfy { $0.map { !facts.isFixed($0) } ?? false }
    }

    /// The layer that a value consists of, with the trace from its result.
    private func source(of value: ValueID) -> (layer: FittableLayer, trace: ChannelTrace)? {
      var current = value
      for _ in 0..<16 {
        if let layer = layers.last(where: { $0.result == current }) {
          let axis = (facts[layer.result].rank ?? 1) - 1
          return ChannelTrace(from: current, axis: axis, to: value, graph, facts).map {
            (layer, $0)
          }
        }
        guard let node = graph[current].definingNode,
          let next = graph[node].inputs.compactMap({ $0 }).first(where: {
            !facts.isFixed($0) && facts[$0].knownTensor == nil
          })
        else { return nil }
        current = next
      }
      return nil
    }

    func matching(_ id: NodeID) -> (found: Matching, nodes: [NodeID])? {
      let node = graph[id]
      guard let q = source(of: node.inputs[0]!), let k = source(of: node.inputs[1]!),
        let queries = q.trace.lists(alongLast: true), let keys = k.trace.lists(alongLast: false),
        queries.count == keys.count
      else { return nil }
      var heads: [(keys: [Int], queries: [[Int]])] = []
      for (query, key) in zip(queries, keys) {
        let place = heads.firstIndex { $0.keys == key } ?? heads.count
        if place == heads.count { heads.append((key, [])) }
        if !heads[place].queries.contains(query) { heads[place].queries.append(query) }
      }
      guard areDisjoint(heads.map(\.keys)), areDisjoint(heads.flatMap(\.queries)) else {
        return nil
      }
      let found = Matching(query: q.layer, key: k.layer, heads: heads)
      return (found, q.trace.nodes + k.trace.nodes)
    }

    func mixing(_ id: NodeID) -> (found: Mixing, nodes: [NodeID])? {
      let node = graph[id]
      guard let v = source(of: node.inputs[1]!), let values = v.trace.lists(alongLast: true),
        let result = node.outputs[0], let shape = facts[result].fixedShape, shape.count >= 2,
        let output = layers.first(where: { leads(result, to: $0.layer.data) }),
        let places = places(of: result, shape, in: output), places.count == values.count
      else { return nil }
      var heads: [(values: [Int], outputs: [(inputs: [Int], place: Int)])] = []
      for (index, value) in values.enumerated() {
        let place = heads.firstIndex { $0.values == value } ?? heads.count
        if place == heads.count { heads.append((value, [])) }
        heads[place].outputs.append((places[index].inputs, index))
      }
      guard areDisjoint(heads.map(\.values)),
        areDisjoint(heads.flatMap { $0.outputs.map(\.inputs) })
      else { return nil }
      let found = Mixing(value: v.layer, output: output, result: result, heads: heads)
      return (found, v.trace.nodes + places[0].nodes)
    }

    private func leads(_ start: ValueID, to end: ValueID) -> Bool {
      var current = end
      for _ in 0..<16 {
        if current == start { return true }
        guard let node = graph[current].definingNode,
          let next = graph[node].inputs.compactMap({ $0 }).first(where: {
            !facts.isFixed($0) && facts[$0].knownTensor == nil
          })
        else { return false }
        current = next
      }
      return false
    }

    /// For each matrix of a product's result, the inputs of the projection that its columns are.
    private func places(
      of result: ValueID, _ shape: [Int], in output: FittableLayer
    ) -> [(inputs: [Int], nodes: [NodeID])]? {
      let width = shape[shape.count - 1]
      let matrices = shape.dropLast(2).reduce(1, *)
      // With the axes of matrices last but one, each column of each matrix is a channel of one axis.
      guard let data = facts[output.layer.data].fixedShape, let length = data.last,
        length == matrices * width, let axis = shape.indices.dropLast(2).last
      else { return nil }
      guard shape[axis] == matrices else { return nil }
      guard
        let heads = ChannelTrace(from: result, axis: axis, to: output.layer.data, graph, facts),
        let columns = ChannelTrace(
          from: result, axis: shape.count - 1, to: output.layer.data, graph, facts),
        Set(columns.factors).count == 1
      else { return nil }
      var inputs = [[Int]](repeating: [Int](repeating: -1, count: width), count: matrices)
      for (index, head) in heads.channels.enumerated() {
        let (column, input) = (columns.channels[index], index % length)
        if inputs[head][column] < 0 { inputs[head][column] = input }
        guard inputs[head][column] == input else { return nil }
      }
      guard inputs.allSatisfy({ $0.allSatisfy { $0 >= 0 } }) else { return nil }
      return inputs.map { ($0, heads.nodes) }
    }

    private func areDisjoint(_ lists: [[Int]]) -> Bool {
      Set(lists.flatMap { $0 }).count == lists.reduce(0) { $0 + $1.count }
    }

    /// Whether everything that reads a value, or what `nodes` make of it, is among them or `ends`, or does not look at its
    /// elements.
    func isPrivate(_ value: ValueID, _ nodes: Set<NodeID>, _ ends: Set<NodeID>) -> Bool {
      var open = [value]
      while let current = open.popLast() {
        for use in graph[current].uses {
          guard let node = use.node else { return false }
          if ends.contains(node) { continue }
          let results = graph[node].outputs.compactMap { $0 }
          if results.allSatisfy({ facts[$0].knownTensor != nil }) { continue }
          guard nodes.contains(node) else { return false }
          open += results
        }
      }
      return true
    }
  }
}
