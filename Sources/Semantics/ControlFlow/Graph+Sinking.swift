import PrunecGraphIR
import PrunecOperators

extension Graph {
  /// The graph after `sinkBranches`.
  package var withSunkBranches: Graph {
    var graph = self
    graph.sinkBranches()
    return graph
  }

  /// Makes an If of every Merge, with the nodes that nothing but one side of it needs as the branch of that side.
  ///
  ///     y = ai.prunec.Merge (c, Relu(x), Exp(x))   =>   y = If (c) {Relu(x)} {Exp(x)}
  ///
  /// A branch captures its constants, which stay where they are. What both sides need, or a side that hands on a value
  /// as it is, stays outside as well. The node and its results keep their IDs and names.
  package mutating func sinkBranches() {
    // A Merge within a branch of another comes before that in the order of execution.
    for id in Array(nodes) where self[id].operation == Merge.operation { sink(id) }
    dropOwnOperators()
  }

  private mutating func sink(_ merge: NodeID) {
    let node = self[merge]
    let count = node.outputs.count
    guard node.inputs.count == 1 + 2 * count, let condition = node.inputs[0] else { return }
    let branches = branches(of: merge)
    let results = [Array(node.inputs[1...count]), Array(node.inputs[(count + 1)...])]
    var captures: [ValueID] = []
    for (nodes, results) in zip(branches, results) {
      let made = Set(nodes.flatMap { self[$0].outputs.compactMap { $0 } })
      let read = nodes.flatMap { self[$0].inputs.compactMap { $0 } + self[$0].captures }
      captures += (read + results.compactMap { $0 }).filter { !made.contains($0) }
    }
    captures = captures.uniqued()
    let names = ["then_branch", "else_branch"]
    let stem =
      node.name.isEmpty
      ? node.outputs.lazy.compactMap { $0 }.first.map { self[$0].name } ?? "if" : node.name
    var attributes: [Attribute] = []
    for index in 0..<2 {
      let body = body(
        branches[index], results: results[index],
        types: node.outputs.map { $0.flatMap { self[$0].type } },
        captures: captures, name: "\(stem).\(names[index])")
      attributes.append(Attribute(names[index], .graph(body)))
    }
    redefine(
      merge, as: OperationName("If"), inputs: [condition], captures: captures,
      attributes: attributes)
    for nodes in branches {
      for id in nodes.reversed() { erase(id) }
    }
  }

  /// A graph of some nodes, which gives `results` out, of the types of the node's results where no others are known.
  private mutating func body(
    _ nodes: [NodeID], results: [ValueID?], types: [ValueType?], captures: [ValueID], name: String
  ) -> Graph {
    var body = Graph(name: name, opsetImports: opsetImports)
    var values: [ValueID: ValueID] = [:]
    for capture in captures {
      values[capture] = body.addCapture(name: self[capture].name, type: self[capture].type)
    }
    for id in nodes {
      let node = self[id]
      let copy = body.insert(
        node.operation, name: node.name, inputs: node.inputs.map { $0.map { values[$0]! } },
        captures: node.captures.map { values[$0]! },
        outputs: node.outputs.map { output in output.map { (self[$0].name, self[$0].type) } },
        attributes: node.attributes, annotations: node.annotations,
        deviceConfigurations: node.deviceConfigurations, at: .atEnd)
      for (old, new) in zip(node.outputs, body[copy].outputs) {
        guard let old, let new else { continue }
        values[old] = new
        body.setAnnotations(of: new, to: self[old].annotations)
      }
    }
    body.dropOwnOperators()
    var given: Set<ValueID> = []
    for (result, type) in zip(results, types) {
      guard let result, let value = values[result] else { continue }
      // Runtimes want a graph to make what it gives out, and to give it out once.
      var output = value
      if body[value].definingNode == nil || !given.insert(value).inserted {
        let name = uniqueName("\(body[value].name).handed_on")
        reserve(name: name)
        let copy = body.insert(
          OperationName("Identity"), name: "", inputs: [value],
          outputs: [(name, self[result].type)], at: .atEnd)
        output = body[copy].outputs[0]!
      }
      body.addOutput(
        name: body[output].name, output, declaredType: body[output].type == nil ? type : nil)
    }
    return body
  }
}
