import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

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
  /// Words, bins or positions, whose indices a constant range counts (`IndexMeaning`). Only those who
  /// name them cut them.
  case index
  /// None of these.
  case other
}

/// Finds out what groups are, by the relations of the nodes that they meet.
///
/// | kind | what tells |
/// | --- | --- |
/// | head | a product of computed values has the group in its result, and on both sides or stretches one |
/// | head-dim | such a product sums over the group, or has it on one side only |
/// | recurrent | a layer that multiplies its own state with a weight makes it |
/// | residual | a node adds two values along it that do not stem from the same, and more than one layer (or table) makes it |
/// | embedding | integers pick rows of a constant whose other axis it is |
/// | conv, ffn | a layer makes it, with weights of three or more axes, or of two |
/// | index | a constant range goes along it, whatever else it is |
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
  /// For values computed so far, the values that they are elementwise functions of.
  private var sources: [ValueID: Set<ValueID>] = [:]
  /// More are taken for a source of their own.
  private static let sourceLimit = 4

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
      node.inputs[index].map { !facts.isFixed($0) } ?? false
    }
    var summed: Set<AxisReference> = []
    for case .sum(let reference) in relations { summed.insert(reference) }
    let factors = Set(
      summed.compactMap { reference -> Int? in
        guard case .operand(let index) = reference.slot else { return nil }
        return computed.contains(index) ? index : nil
      })
    if factors.count >= 2 {
      noteHeads(node, relations, summed, Set(computed))
    } else if summed.isEmpty, computed.count >= 2, isAdditive(id, computed) {
      // A polynomial of one value, as a GELU that is written out, is no stream.
      if Set(computed.map { stems(node.inputs[$0]!) }).count > 1 {
        for index in computed {
          for (axis, _) in coupling.axes(of: node.inputs[index]!) { note(.residual, axis) }
        }
      }
    }
    let all = computed.reduce(into: Set<ValueID>()) { $0.formUnion(stems(node.inputs[$1]!)) }
    if summed.isEmpty, (1...Self.sourceLimit).contains(all.count) {
      for case let output? in node.outputs { sources[output] = all }
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

  /// The values that `value` is an elementwise function of; itself where it is none.
  private func stems(_ value: ValueID) -> Set<ValueID> { sources[value] ?? [value] }

  /// A product of computed values: batches of heads go through it side by side.
  ///
  /// Axes that the node says are equal are one, and so are one that is split and its outer factor. One that
  /// is summed over and also in the result has heads and their dimensions both: there, a channel with
  /// all dimensions of a head is a head.
  private mutating func noteHeads(
    _ node: Node, _ relations: [Relation], _ summed: Set<AxisReference>, _ computed: Set<Int>
  ) {
    var classes: [Set<AxisReference>] = []
    func join(_ axes: [AxisReference]) {
      let touched = classes.filter { !$0.isDisjoint(with: axes) }
      classes.removeAll { !$0.isDisjoint(with: axes) }
      classes.append(touched.reduce(Set(axes)) { $0.union($1) })
    }
    var innermost: [AxisReference: AxisReference] = [:]
    for axis in summed { join([axis]) }
    for relation in relations {
      switch relation {
      case .equal(let a, let b): join([a, b])
      case .split(let whole, let factors):
        join([whole, factors[0]])
        innermost[whole] = factors.last
      default: continue
      }
    }
    for axes in classes {
      let operands = axes.filter { axis in
        if case .operand(let index) = axis.slot { computed.contains(index) } else { false }
      }.sorted { ($0.value(at: node)!, $0.axis) < ($1.value(at: node)!, $1.axis) }
      let isSummed = !axes.isDisjoint(with: summed)
      let isInResult = axes.contains { if case .result = $0.slot { true } else { false } }
      for reference in operands where isSummed || isInResult {
        let axis = Axis(reference.value(at: node)!, reference.axis)
        if isSummed, isInResult, let factor = innermost[reference] {
          let width =
            factor.value(at: node).flatMap { coupling.extent(of: Axis($0, factor.axis)) }
            ?? factor.axis
          noteHeads(sharing: axis, width: width)
        } else {
          let isShared =
            operands.count > 1 || isStretched(along: reference, axes, node, computed)
          note(!isSummed && isShared ? .head : .headDimension, axis)
        }
      }
    }
  }

  /// Whether all other computed operands broadcast along an axis of a result, which one operand has: they
  /// have extent one there, counted from the back.
  private func isStretched(
    along reference: AxisReference, _ axes: Set<AxisReference>, _ node: Node, _ computed: Set<Int>
  ) -> Bool {
    let result = axes.first { if case .result = $0.slot { true } else { false } }
    guard let result, let rank = result.value(at: node).flatMap({ facts[$0].rank }) else {
      return false
    }
    return computed.allSatisfy { operand in
      guard reference.slot != .operand(operand), let shape = facts[node.inputs[operand]!].shape
      else { return reference.slot == .operand(operand) }
      let axis = shape.count - (rank - result.axis)
      return axis >= 0 && shape[axis].fixedExtent == 1
    }
  }

  /// Notes which groups on an axis of heads, each of `width` dimensions, are heads.
  private mutating func noteHeads(sharing axis: Axis, width: Int) {
    for (index, group) in coupling.groups.enumerated() {
      guard let member = group.members.first(where: { $0.axis == axis }) else { continue }
      let indices = member.indices(ofChannel: 0)
      let heads = Set(indices.map { Int($0) / max(1, width) })
      found[index].insert(heads.count * width == indices.count ? .head : .headDimension)
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
