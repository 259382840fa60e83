import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// What becomes of a graph when only some indices of its axes stay: weights are sliced, attributes and shape
/// constants follow.
package struct GraphCut {
  /// The indices that stay of every axis that loses some.
  package let kept: [Axis: [Int]]
  package let adaptations: [(node: NodeID, changes: [Adaptation])]
  private let facts: GraphFacts

  /// Asks the operators of all nodes but masks what has to follow. Throws where one cannot.
  package init(
    _ graph: Graph, _ facts: GraphFacts, keeping kept: [Axis: [Int]]
  ) throws(CompileError) {
    self.kept = kept
    self.facts = facts
    var adaptations: [(node: NodeID, changes: [Adaptation])] = []
    for id in graph.nodes where !graph[id].operation.isMask {
      let cut = Self.cut(at: id, graph, facts, kept)
      guard !cut.kept.isEmpty, let (found, call) = facts.invocation(of: id) else { continue }
      let changes = try found.adapt(call, to: cut)
      if !changes.isEmpty { adaptations.append((id, changes)) }
    }
    self.adaptations = adaptations
  }

  private static func cut(
    at id: NodeID, _ graph: Graph, _ facts: GraphFacts, _ kept: [Axis: [Int]]
  ) -> Cut {
    var cut: [AxisReference: [Int]] = [:]
    func collect(_ values: [ValueID?], _ reference: (Int, Int) -> AxisReference) {
      for (index, value) in values.enumerated() {
        guard let value else { continue }
        for axis in 0..<(facts[value].rank ?? 0) {
          if let indices = kept[Axis(value, axis)] { cut[reference(index, axis)] = indices }
        }
      }
    }
    collect(graph[id].inputs) { .operand($0, axis: $1) }
    collect(graph[id].outputs) { .result($0, axis: $1) }
    return Cut(cut)
  }

  /// Cuts `graph`, which may have lost masks since.
  package func perform(on graph: inout Graph) {
    for axis in kept.keys.sorted() {
      guard let value = graph.value(axis.value) else { continue }
      let indices = kept[axis]!
      if let tensor = value.constant {
        graph.setTensor(of: axis.value, to: tensor.lazilyKeeping(indices, alongAxis: axis.index))
      } else if var type = value.tensorType, type.shape?.indices.contains(axis.index) == true {
        // A stale declaration may have fewer axes than the value; it stays as wrong as it was.
        type.shape![axis.index].extent = .fixed(indices.count)
        graph.setType(of: axis.value, to: ValueType(.tensor(type)))
      }
    }
    for (node, changes) in adaptations {
      for change in changes { apply(change, to: node, &graph) }
    }
  }

  private func apply(_ change: Adaptation, to node: NodeID, _ graph: inout Graph) {
    switch change {
    case .attribute(let attribute): graph.setAttribute(attribute, of: node)
    case .removeAttribute(let name): graph.removeAttribute(name, of: node)
    case .elements(let index, let numbers):
      graph.replaceElements(numbers, ofOperand: index, of: node, facts)
    case .operand(let index, let tensor):
      if index < graph[node].inputs.count, let old = graph[node].inputs[index],
        graph[old].uses.count == 1, graph[old].constant != nil
      {
        graph.setTensor(of: old, to: tensor)
        return
      }
      let old = index < graph[node].inputs.count ? graph[node].inputs[index] : nil
      let stem = graph[old ?? graph[node].outputs.lazy.compactMap { $0 }.first!].name
      let shrunk = graph.build(before: node, stem: stem) { $0.addConstant(tensor, "shrunk") }
      graph.setInput(index, of: node, to: shrunk)
    }
  }
}
