/// What a group of channels is in its network.
public enum GroupKind: String, Sendable, CaseIterable, Encodable {
  /// Channels that convolutions make.
  case conv
  /// Channels that are added to: a residual stream, or branches that meet.
  case residual
  /// Features that matrix products make, such as the hidden ones of an MLP.
  case ffn
  /// Whole heads of attention.
  case head
  /// The same dimensions of every head of attention.
  case headDimension = "head-dim"
  /// Columns of an embedding table, and nothing that is added to.
  case embedding
  /// Hidden units of a recurrent layer.
  case recurrent
  /// None of these.
  case other
}

/// Finds out what groups are, by the relations of the nodes that they meet.
///
/// | kind | what tells |
/// | --- | --- |
/// | head | a product of two computed values has the group on both sides, and in its result |
/// | head-dim | such a product sums over the group, or has it on one side only |
/// | recurrent | a layer that multiplies its own state with a weight makes it |
/// | residual | a node adds two computed values along it, and more than one layer (or table) makes it |
/// | embedding | integers pick rows of a constant whose other axis it is |
/// | conv, ffn | a layer makes it, with weights of three or more axes, or of two |
///
/// Where several hold, the first in this order does.
struct GroupKinds {
  private let graph: Graph
  private let facts: GraphFacts
  private let coupling: CouplingAnalysis
  /// For each group, all that it has been found to be.
  private var found: [Set<GroupKind>]
  /// For each group, how many layers and tables make it.
  private var makers: [Int]

  private static let order: [GroupKind] = [
    .head, .headDimension, .recurrent, .residual, .embedding, .conv, .ffn,
  ]

  /// The kind of each group.
  static func all(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, _ layers: [LinearLayer]
  ) -> [GroupKind] {
    var kinds = GroupKinds(
      graph: graph, facts: facts, coupling: coupling,
      found: Array(repeating: [], count: coupling.groups.count),
      makers: Array(repeating: 0, count: coupling.groups.count))
    for layer in layers {
      let axis = Axis(layer.result, layer.resultAxis)
      if layer.recurrent != nil {
        kinds.note(.recurrent, axis)
      } else {
        kinds.note(facts[layer.weight].rank ?? 0 > 2 ? .conv : .ffn, axis)
      }
    }
    for node in graph.nodes { kinds.visit(node) }
    return coupling.groups.indices.map { group in
      var found = kinds.found[group]
      if kinds.makers[group] < 2 { found.remove(.residual) }
      return order.first(where: found.contains) ?? .other
    }
  }

  /// Notes what the groups on an axis are.
  private mutating func note(_ kind: GroupKind, _ axis: Axis) {
    var last: Int?
    for index in 0..<(coupling.extent(of: axis) ?? 0) {
      guard let group = coupling.channel(of: axis, index: index)?.group, group != last else {
        continue
      }
      found[group].insert(kind)
      if [.conv, .ffn, .recurrent, .embedding].contains(kind) { makers[group] += 1 }
      last = group
    }
  }

  private mutating func visit(_ id: NodeID) {
    let node = graph[id]
    let relations = facts.relations(of: id)
    let computed = node.inputs.indices.filter { index in
      node.inputs[index].map { graph[$0].constant == nil } ?? false
    }
    var summed: Set<AxisReference> = []
    for case .sum(let reference) in relations { summed.insert(reference) }
    let factors = Set(
      summed.compactMap { reference -> Int? in
        guard case .operand(let index) = reference.slot else { return nil }
        return computed.contains(index) ? index : nil
      })
    if factors.count >= 2 {
      noteHeads(node, relations, summed, factors)
    } else if summed.isEmpty, computed.count >= 2, isAdditive(id, computed) {
      for index in computed {
        for (axis, _) in coupling.axes(of: node.inputs[index]!) { note(.residual, axis) }
      }
    }
    let picks = computed.contains { facts[node.inputs[$0]!].elementType?.isInteger == true }
    for (index, value) in node.inputs.enumerated() where picks {
      guard let value, let table = graph[value].constant, table.rank >= 2,
        table.elementType.isFloatingPoint
      else { continue }
      for case .equal(let a, let b) in relations {
        guard a.slot == .operand(index), case .result = b.slot else { continue }
        note(.embedding, Axis(value, a.axis))
      }
    }
  }

  /// A product of computed values: batches of heads go through it side by side.
  private mutating func noteHeads(
    _ node: Node, _ relations: [Relation], _ summed: Set<AxisReference>, _ factors: Set<Int>
  ) {
    // How many of the factors an axis of the result comes from.
    var sources: [AxisReference: [AxisReference]] = [:]
    for case .equal(let a, let b) in relations {
      guard case .operand(let index) = a.slot, factors.contains(index), case .result = b.slot else {
        continue
      }
      sources[b, default: []].append(a)
    }
    for (_, operands) in sources {
      for reference in operands {
        guard case .operand(let index) = reference.slot else { continue }
        note(
          operands.count > 1 ? .head : .headDimension, Axis(node.inputs[index]!, reference.axis))
      }
    }
    for reference in summed {
      guard case .operand(let index) = reference.slot, factors.contains(index) else { continue }
      note(.headDimension, Axis(node.inputs[index]!, reference.axis))
    }
  }

  /// Whether the node adds its computed operands, or takes the greatest or the like: twice the
  /// operands give twice the result. Tried with single numbers.
  private func isAdditive(_ id: NodeID, _ computed: [Int]) -> Bool {
    guard graph[id].inputs.count == computed.count, let (found, call) = facts.invocation(of: id)
    else { return false }
    func result(_ factor: Float) -> Float? {
      var operands: [Tensor?] = []
      for (index, operand) in call.operands.enumerated() {
        guard let operand, operand.elementType?.isFloatingPoint == true, let rank = operand.rank
        else { return nil }
        let shape = [Int](repeating: 1, count: rank)
        operands.append(Tensor([factor * (3 + 2 * Float(index))], shape: shape))
      }
      var small = Invocation(
        signature: call.signature, opset: call.opset, attributes: call.attributes,
        operands: operands.map { $0.map { ValueFacts(constant: $0) } }, results: call.results,
        location: call.location)
      guard let inferred = try? found.inferFacts(small) else { return nil }
      small.results = inferred
      guard let tensor = try? found.evaluate(small, operands).first,
        tensor.elementType == .float32, tensor.count == 1
      else { return nil }
      return tensor.floats[0]
    }
    guard let once = result(1), let twice = result(2) else { return false }
    return once != 0 && twice == 2 * once
  }
}
