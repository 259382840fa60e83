import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Gives each layer its own copy of a vector that several layers share.
///
///     h = Gemm(x, W1, b)          h = Gemm(x, W1, b)
///     y = Gemm(h, W2, b)     =>   y = Gemm(h, W2, b_1)      b_1 [C] equal to b [C]
///
/// Exporters store equal constants once: biases of zeros, scales of ones, and zero points of unrelated layers
/// become one tensor. The coupling would take them for one axis, and cut or pin those layers together.
///
/// Legal always: a copy has the same elements. Worth it where
/// 1. the constant has one axis of more than one element, is no layer's weight (an embedding, or a matrix of
///    one row), and no caller may replace it;
/// 2. the uses belong to different layers. Uses are one layer's where the same weight lies before them, in
///    their own node or in those that their data comes from: a layer that is applied twice, as in siamese
///    towers, stays one layer;
/// 3. the operator relates the vector's axis to others. Uses that only read numbers, such as the target of a
///    Reshape or the indices of a Gather, need no copies, and share one with each other.
///
/// `merge-equal-vectors` makes one of those again that are still equal in the end.
package struct SeparateSharedVectors: Pass {
  package static let name = "separate-shared-vectors"
  package static let summary = "give each layer its own copy of a vector that layers share"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  /// What makes two uses of a vector belong together.
  private enum Tie: Hashable {
    /// A shared weight, by value and operand index, and how the vector is used behind it.
    case weight(ValueID, operand: Int, by: OperationName, as: Int)
    /// The vector is no axis of channels there.
    case numbers
  }

  /// The uses of one layer.
  private struct Part {
    var ties: Set<Tie>
    var uses: [(node: NodeID, operand: Int)]
  }

  /// A weight that several nodes use, and the index of the operand that it is.
  private struct SharedWeight: Hashable {
    let value: ValueID
    let operand: Int
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let shared = graph.initializers.filter { id in
      graph[id].uses.count > 1 && !graph[id].isListedAsInput
        && graph[id].constant.map { $0.shape.count(where: { $0 > 1 }) == 1 } ?? false
    }
    guard !shared.isEmpty else { return }
    let facts = try context.facts(of: graph)
    let layers = LinearLayer.all(in: graph, facts)
    let weights = Set(layers.flatMap { [$0.weight] + ($0.recurrent.map { [$0.weight] } ?? []) })
    let reached = sharedWeights(weights, graph, facts)
    let places = Dictionary(
      uniqueKeysWithValues: graph.nodes.enumerated().map { ($0.element, $0.offset) })
    for vector in shared where !weights.contains(vector) {
      let uses = graph[vector].uses.compactMap { use -> (node: NodeID, operand: Int)? in
        if case .operand(let node, let operand) = use { (node, operand) } else { nil }
      }.sorted { (places[$0.node]!, $0.operand) < (places[$1.node]!, $1.operand) }
      let parts = parts(uses, reached, graph, facts)
      // What the graph's signature or a subgraph uses is the vector itself, and of no layer.
      let isUsedOtherwise = uses.count < graph[vector].uses.count
      for part in parts.dropFirst(isUsedOtherwise ? 0 : 1) {
        copy(vector, for: part, &graph)
      }
    }
  }

  // MARK: Find

  /// For each node the shared weights that it uses, or from which the data of a node without weights comes.
  private func sharedWeights(
    _ weights: Set<ValueID>, _ graph: Graph, _ facts: GraphFacts
  ) -> [NodeID: Set<SharedWeight>] {
    var atNode: [NodeID: Set<SharedWeight>] = [:]
    var ofValue: [ValueID: Set<SharedWeight>] = [:]
    for id in graph.nodes {
      let node = graph[id]
      var found: Set<SharedWeight> = []
      var isLayer = false
      for (operand, value) in node.inputs.enumerated() {
        guard let value, facts.isFixed(value) else { continue }
        let axes = facts[value].fixedShape?.count { $0 > 1 } ?? 0
        guard axes >= 2 || weights.contains(value) else { continue }
        isLayer = true
        if graph[value].uses.count > 1 {
          found.insert(SharedWeight(value: value, operand: operand))
        }
      }
      if !isLayer {
        for case let value? in node.inputs { found.formUnion(ofValue[value] ?? []) }
      }
      guard !found.isEmpty else { continue }
      atNode[id] = found
      for case let output? in node.outputs { ofValue[output] = found }
    }
    return atNode
  }

  /// The uses by layer, in order of their first.
  private func parts(
    _ uses: [(node: NodeID, operand: Int)], _ reached: [NodeID: Set<SharedWeight>],
    _ graph: Graph, _ facts: GraphFacts
  ) -> [Part] {
    var parts: [Part] = []
    for use in uses {
      var part = Part(ties: [], uses: [use])
      if isRelated(use, facts) {
        part.ties.formUnion(
          (reached[use.node] ?? []).map {
            .weight($0.value, operand: $0.operand, by: graph[use.node].operation, as: use.operand)
          })
      } else {
        part.ties.insert(.numbers)
      }
      let tied = parts.indices.filter { !parts[$0].ties.isDisjoint(with: part.ties) }
      guard let first = tied.first else {
        parts.append(part)
        continue
      }
      for index in tied.dropFirst().reversed() {
        let other = parts.remove(at: index)
        parts[first].ties.formUnion(other.ties)
        parts[first].uses += other.uses
      }
      parts[first].ties.formUnion(part.ties)
      parts[first].uses += part.uses
    }
    return parts
  }

  /// Whether the operator says how the axes of the operand belong to others.
  private func isRelated(_ use: (node: NodeID, operand: Int), _ facts: GraphFacts) -> Bool {
    facts.relations(of: use.node).contains { relation in
      relation.references.contains { $0.slot == .operand(use.operand) }
    }
  }

  // MARK: Perform

  private func copy(_ vector: ValueID, for part: Part, _ graph: inout Graph) {
    let (name, tensor) = (graph[vector].name, graph[vector].constant!)
    let axes = tensor.shape.indices.filter { tensor.shape[$0] > 1 }
    let copy = graph.build(before: part.uses[0].node, stem: name) {
      $0.addConstant(
        tensor, axes: Dictionary(uniqueKeysWithValues: axes.map { ($0, [Axis(vector, $0)]) }))
    }
    for use in part.uses { graph.setInput(use.operand, of: use.node, to: copy) }
  }
}
