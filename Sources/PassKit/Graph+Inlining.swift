import PrunecGraphIR

extension Graph {
  /// Puts the nodes of `body` in the place of node `id`, whose results become those of the body's outputs, and gives the
  /// copies in order of execution. The rest is as `insertCopies` has it.
  package mutating func inline(
    _ body: Graph, at id: NodeID, values: [ValueID: ValueID], prefix: String,
    _ names: inout UniqueNames, attributes: (Attribute) -> Attribute? = { $0 }
  ) -> [NodeID] {
    let (copies, outputs) = insertCopies(
      of: body, before: id, values: values, prefix: prefix, &names, attributes: attributes)
    for (output, result) in zip(outputs, self[id].outputs) {
      guard let result, let value = output else { continue }
      if self[value].type == nil { setType(of: value, to: self[result].type) }
      replaceAllUses(of: result, with: value)
    }
    erase(id)
    return copies
  }

  /// Inserts copies of the nodes of `body` before node `id`, which they stand for, and gives them in order of execution,
  /// with the values that the body's outputs become.
  ///
  /// `values` has for the inputs and captures of the body the values of this graph that stand for them; inputs that are
  /// left out are missing. Names begin with `prefix`, and those of nodes are made unique by `names`. `attributes` gives
  /// the attributes of the copies; `nil` leaves one out.
  package mutating func insertCopies(
    of body: Graph, before id: NodeID, values: [ValueID: ValueID], prefix: String,
    _ names: inout UniqueNames, attributes: (Attribute) -> Attribute? = { $0 }
  ) -> (nodes: [NodeID], outputs: [ValueID?]) {
    var values = values
    for initializer in body.initializers {
      guard let tensor = body[initializer].constant else { continue }
      values[initializer] = build(before: id, stem: prefix + body[initializer].name) {
        $0.addConstant(tensor)
      }
    }
    var copies: [NodeID] = []
    for inner in body.nodes {
      let node = body[inner]
      let outputs = node.outputs.map { output in
        output.map { (name: uniqueName(prefix + body[$0].name), type: body[$0].type) }
      }
      // Runtimes ask for names of nodes that are unique. A node without one needs none.
      let own = node.name.isEmpty && !prefix.isEmpty ? node.operation.type : node.name
      let name = own.isEmpty ? "" : names.add(prefix + own)
      let copy = build(before: id) { build in
        build.addCopy(
          of: node, name: name, inputs: node.inputs.map { $0.flatMap { values[$0] } },
          captures: node.captures.compactMap { values[$0] }, outputs: outputs,
          attributes: node.attributes.compactMap(attributes))
      }
      for (old, new) in zip(node.outputs, self[copy].outputs) {
        if let old { values[old] = new }
      }
      copies.append(copy)
    }
    return (copies, body.outputs.map { values[$0.value] })
  }
}

/// Names of nodes, no two alike.
package struct UniqueNames {
  private var taken: Set<String>
  /// For a stem, the number from which on names of it may be free.
  private var nextNumbers: [String: Int] = [:]

  /// The names of the nodes of `graph` are taken.
  package init(ofNodesIn graph: Graph) { taken = Set(graph.nodes.map { graph[$0].name }) }

  /// Adds `stem`, or `stem` followed by the first number that makes it a new name, and gives it.
  package mutating func add(_ stem: String) -> String {
    if taken.insert(stem).inserted { return stem }
    var number = nextNumbers[stem, default: 1]
    while !taken.insert("\(stem)_\(number)").inserted { number += 1 }
    nextNumbers[stem] = number + 1
    return "\(stem)_\(number)"
  }
}
