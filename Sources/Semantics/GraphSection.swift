import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Neighbouring nodes of a graph as a graph of its own.
///
/// Values that the nodes read and nothing in the section makes become inputs, but for constants, which come along, and for what
/// is computed from constants alone, whose nodes come along.
package struct GraphSection: Sendable {
  package var graph: Graph
  /// The values of the whole graph that the inputs stand for, in their order.
  package let inputs: [ValueID]
  /// The values of the whole graph that the outputs stand for, in their order.
  package let outputs: [ValueID]

  /// The section of `nodes`, which are in order of execution, that gives `outputs` out. `facts` are of the whole graph: what
  /// they know as a tensor, such as the target of a reshape, becomes a constant.
  package init(of graph: Graph, _ facts: GraphFacts, nodes: [NodeID], outputs: [ValueID]) {
    var builder = Builder(whole: graph, facts: facts)
    for node in nodes { builder.add(node) }
    for output in outputs { builder.give(output) }
    self.graph = builder.section
    inputs = builder.inputs
    self.outputs = outputs
  }

  private struct Builder {
    let whole: Graph
    let facts: GraphFacts
    var section: Graph
    var inputs: [ValueID] = []
    private var values: [ValueID: ValueID] = [:]

    init(whole: Graph, facts: GraphFacts) {
      (self.whole, self.facts) = (whole, facts)
      section = Graph(name: whole.name, opsetImports: whole.opsetImports)
    }

    mutating func add(_ id: NodeID) {
      let node = whole[id]
      // Nodes whose results are all known, or that came along before, need no place.
      guard node.outputs.contains(where: { $0.map { values[$0] == nil } ?? false }),
        facts.isReachable(id)
      else { return }
      let inputs =
        node.operation == Merge.operation ? facts.reachableOperands(ofMerge: id) : node.inputs
      let operands = inputs.map { $0.map { value(for: $0) } }
      let captures = node.captures.map { value(for: $0) }
      let inserted = section.insert(
        node.operation, name: node.name, inputs: operands, captures: captures,
        outputs: node.outputs.map { output in
          output.map { (section.uniqueName(whole[$0].name), whole[$0].type) }
        },
        attributes: node.attributes, at: .atEnd)
      for (old, new) in zip(node.outputs, section[inserted].outputs) {
        if let old, let new { values[old] = new }
      }
    }

    mutating func give(_ value: ValueID) {
      section.addOutput(name: whole[value].name, self.value(for: value))
    }

    private mutating func value(for old: ValueID) -> ValueID {
      if let known = values[old] { return known }
      let name = section.uniqueName(whole[old].name)
      let new: ValueID
      if let tensor = whole[old].constant ?? knownTensor(old) {
        new = section.addInitializer(name: name, tensor)
      } else if facts.isFixed(old), let node = whole[old].definingNode {
        add(node)
        return values[old]!
      } else {
        new = section.addInput(name: name, type: nil)
        inputs.append(old)
      }
      values[old] = new
      return new
    }

    private func knownTensor(_ value: ValueID) -> Tensor? {
      Int(value.rawValue) < facts.valueCount ? facts[value].knownTensor : nil
    }
  }
}
