import PrunecGraphIR
import PrunecOperators
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// A graph that is run on all batches at once, a section after the other: between two sections everything that later nodes
/// read is there, and weights that no section has read yet can be changed.
///
/// That is how a layer is fitted to what the layers before it, already fitted, really make, in one pass through the graph.
package final class StagedRun {
  package private(set) var graph: Graph
  /// Facts of the graph with the types of the first batch.
  package private(set) var facts: GraphFacts
  private let order: [NodeID]
  private let places: [NodeID: Int]
  /// For each value the place of the last node that reads it; the end for what the graph gives out.
  private let lastUse: [ValueID: Int]
  /// The place of the first node that has not been run.
  private var position = 0
  private var live: [[ValueID: Tensor]] = []
  /// Facts of the graph for each combination of input types, and the one that each batch has.
  private let inputTypes: [[TensorType]]
  private let typedFacts: [GraphFacts]
  private var typeOfBatch: [Int] = []
  private let threadCount: Int
  /// Most bytes of tensors that are held between two sections.
  private let memoryLimit: Int

  /// Reads all batches. Throws where a batch does not fit the graph.
  package init(
    _ graph: Graph, _ batches: some CalibrationBatches,
    threadCount: Int = Session.processorCount, memoryLimit: Int = Session.defaultMemoryLimit
  ) throws(CompileError) {
    self.graph = graph
    (self.threadCount, self.memoryLimit) = (threadCount, memoryLimit)
    let order = Array(graph.nodes)
    let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    (self.order, self.places) = (order, places)
    var lastUse: [ValueID: Int] = [:]
    for id in graph.valueIDs {
      for use in graph[id].uses {
        let place = use.node.map { places[$0]! } ?? order.count
        lastUse[id] = max(lastUse[id] ?? 0, place)
      }
    }
    self.lastUse = lastUse
    var known: [[TensorType]] = []
    var typedFacts: [GraphFacts] = []
    for batch in 0..<batches.count {
      let tensors = try batches.tensors(ofBatch: batch)
      let types = tensors.map { TensorType($0.elementType, fixed: $0.shape) }
      if !known.contains(types) {
        known.append(types)
        typedFacts.append(try GraphFacts(of: graph.withInputs(types)))
      }
      typeOfBatch.append(known.firstIndex(of: types)!)
      live.append(Dictionary(uniqueKeysWithValues: zip(graph.inputs, tensors)))
    }
    guard let first = typedFacts.first else {
      throw CompileError(.usage, "there is no sample to run the model on")
    }
    self.typedFacts = typedFacts
    inputTypes = known
    facts = first
  }

  package var batchCount: Int { live.count }

  /// The facts of the graph with the types of a batch.
  package func facts(ofBatch index: Int) -> GraphFacts { typedFacts[typeOfBatch[index]] }

  /// A value that has been computed and is still to be read, or is given out.
  package func tensor(_ value: ValueID, ofBatch batch: Int) -> Tensor? {
    live[batch][value] ?? graph[value].constant
  }

  /// Runs all nodes before `node`.
  package func advance(before node: NodeID) throws(CompileError) {
    try advance(to: places[node] ?? position)
  }

  /// Runs all nodes up to `node`. `observe` gets, for each batch, those of `values` that are there by then: they need not be
  /// held for all batches at once.
  package func advance(
    past node: NodeID, observing values: [ValueID] = [],
    _ observe: (_ batch: Int, _ tensors: [ValueID: Tensor]) throws(CompileError) -> Void = { _, _ in
    }
  ) throws(CompileError) {
    try advance(to: places[node].map { $0 + 1 } ?? position, observing: values, observe)
  }

  /// The last node that reads a value, as far as there is none from `node` on for which `isBoundary` holds; else `node`.
  package func lastReader(
    of value: ValueID, from node: NodeID, notBeyond isBoundary: (NodeID) -> Bool
  ) -> NodeID {
    guard let start = places[node], let end = lastUse[value], end > start, end < order.count,
      !order[(start + 1)...end].contains(where: isBoundary)
    else { return node }
    return order[end]
  }

  /// Runs the rest of the graph.
  package func finish() throws(CompileError) { try advance(to: order.count) }

  /// Replaces the elements of a constant that nodes yet to be run read.
  package func setTensor(of value: ValueID, to tensor: Tensor) {
    graph.setTensor(of: value, to: tensor)
  }

  /// Gives a node yet to be run another operand, a new constant.
  package func setOperand(_ index: Int, of node: NodeID, named name: String, to tensor: Tensor) {
    let added = graph.build(before: node, stem: name) { $0.addConstant(tensor) }
    graph.setInput(index, of: node, to: added)
  }

  /// Replaces a value that has been computed, because what it was computed with has been changed since.
  package func update(_ value: ValueID, ofBatch batch: Int, _ change: (Tensor) -> Tensor) {
    live[batch][value] = live[batch][value].map(change)
  }

  /// The size in bytes of all tensors that are held.
  package var heldByteCount: Int {
    live.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.byteCount } }
  }

  /// The nodes behind a place, ready to run on values that other graphs have made of what lies before it.
  ///
  /// Their weights are packed once for all of these graphs.
  package final class Remainder {
    fileprivate let nodes: [NodeID]
    fileprivate var sections: [Int: (GraphSection, Session)] = [:]

    fileprivate init(nodes: [NodeID]) { self.nodes = nodes }
  }

  /// The nodes behind `last`.
  package func remainder(behind last: NodeID) -> Remainder {
    Remainder(nodes: Array(order[(places[last]! + 1)...]))
  }

  /// The outputs, for each batch, of another graph that differs from this one in `nodes` alone: it goes on from the values
  /// that are there, and leaves what comes behind `nodes` to `remainder`.
  package func outputs(
    of other: Graph, nodes: [NodeID], then remainder: Remainder
  ) throws(CompileError) -> [[Tensor]] {
    var sections: [Int: (GraphSection, Session)] = [:]
    return try live.indices.map { (batch) throws(CompileError) -> [Tensor] in
      let type = typeOfBatch[batch]
      let (rest, restSession) = self.section(of: remainder, type)
      if sections[type] == nil {
        let facts = try GraphFacts(of: other.withInputs(inputTypes[type]))
        let made = Set(nodes.flatMap { other[$0].outputs.compactMap { $0 } })
        let wanted = Set(rest.inputs + graph.outputs.map(\.value)).intersection(made)
        let section = GraphSection(of: other, facts, nodes: nodes, outputs: wanted.sorted())
        sections[type] = (section, Session(section.graph, threadCount: threadCount))
      }
      let (section, session) = sections[type]!
      var values = live[batch]
      try run(section, session, on: &values)
      try run(rest, restSession, on: &values)
      return try graph.outputs.map { (output) throws(CompileError) -> Tensor in
        guard let tensor = values[output.value] ?? graph[output.value].constant else {
          throw CompileError(
            .unsupported, "cannot be run part by part", at: .value(output.name))
        }
        return tensor
      }
    }
  }

  private func section(of remainder: Remainder, _ type: Int) -> (GraphSection, Session) {
    if let known = remainder.sections[type] { return known }
    let made = Set(remainder.nodes.flatMap { graph[$0].outputs.compactMap { $0 } })
    let section = GraphSection(
      of: graph, typedFacts[type], nodes: remainder.nodes,
      outputs: Set(graph.outputs.map(\.value)).intersection(made).sorted())
    let found = (section, Session(section.graph, threadCount: threadCount))
    remainder.sections[type] = found
    return found
  }

  /// Adds what a section makes of some values to them.
  private func run(
    _ section: GraphSection, _ session: Session, on values: inout [ValueID: Tensor]
  ) throws(CompileError) {
    guard !section.outputs.isEmpty else { return }
    let operands = try section.inputs.map { (value) throws(CompileError) -> Tensor in
      guard let tensor = values[value] else {
        throw CompileError(
          .unsupported, "cannot be run part by part", at: .value(graph[value].name))
      }
      return tensor
    }
    for (value, tensor) in zip(section.outputs, try session.run(operands)) {
      values[value] = tensor
    }
  }

  private func advance(
    to end: Int, observing observed: [ValueID] = [],
    _ observe: (Int, [ValueID: Tensor]) throws(CompileError) -> Void = { _, _ in }
  ) throws(CompileError) {
    let nodes = end > position ? Array(order[position..<end]) : []
    let made = Set(nodes.flatMap { graph[$0].outputs.compactMap { $0 } })
    var sections: [Int: (GraphSection, Session)] = [:]
    for batch in live.indices {
      let type = typeOfBatch[batch]
      if sections[type] == nil {
        let facts = typedFacts[type]
        let results = results(of: nodes, end, facts)
        let more = observed.filter { made.contains($0) && !results.contains($0) }
        let section = GraphSection(of: graph, facts, nodes: nodes, outputs: results + more)
        sections[type] = (section, Session(section.graph, threadCount: threadCount))
      }
      let (section, session) = sections[type]!
      try run(section, session, on: &live[batch])
      try observe(batch, live[batch].filter { observed.contains($0.key) })
      live[batch] = live[batch].filter { lastUse[$0.key] ?? -1 >= max(position, end) }
      guard heldByteCount <= memoryLimit else {
        throw CompileError(
          .unsupported,
          "what the samples make takes more than \(memoryLimit >> 20) MiB of memory at once; take fewer",
          at: nodes.last.map { graph.location(of: $0) })
      }
    }
    position = max(position, end)
  }

  /// Results of nodes that nodes from `end` on read, but for what is known without running anything.
  private func results(of nodes: [NodeID], _ end: Int, _ facts: GraphFacts) -> [ValueID] {
    nodes.flatMap { graph[$0].outputs.compactMap { $0 } }.filter {
      lastUse[$0] ?? -1 >= end && facts.isReachable($0) && !facts.isFixed($0)
        && facts[$0].knownTensor == nil
    }
  }
}

extension Graph {
  /// The graph with inputs of other types.
  package func withInputs(_ types: [TensorType]) -> Graph {
    var graph = self
    for (input, type) in zip(inputs, types) {
      graph.setType(of: input, to: ValueType(.tensor(type)))
    }
    return graph
  }
}
