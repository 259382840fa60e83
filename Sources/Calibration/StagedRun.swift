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

  /// Runs all nodes up to `node`.
  package func advance(past node: NodeID) throws(CompileError) {
    try advance(to: places[node].map { $0 + 1 } ?? position)
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

  /// The outputs, for each batch, of another graph whose nodes before `nodes` are those of this one: it goes on from the values
  /// that are there.
  package func outputs(of other: Graph, nodes: [NodeID]) throws(CompileError) -> [[Tensor]] {
    var sections: [Int: (GraphSection, Session)] = [:]
    return try live.indices.map { (batch) throws(CompileError) -> [Tensor] in
      let type = typeOfBatch[batch]
      if sections[type] == nil {
        let facts = try GraphFacts(of: other.withInputs(inputTypes[type]))
        let section = GraphSection(
          of: other, facts, nodes: nodes, outputs: other.outputs.map(\.value))
        sections[type] = (section, Session(section.graph, threadCount: threadCount))
      }
      let (section, session) = sections[type]!
      return try session.run(try inputs(of: section, batch))
    }
  }

  private func inputs(of section: GraphSection, _ batch: Int) throws(CompileError) -> [Tensor] {
    try section.inputs.map { (value) throws(CompileError) -> Tensor in
      guard let tensor = live[batch][value] else {
        throw CompileError(
          .unsupported, "cannot be run part by part", at: .value(graph[value].name))
      }
      return tensor
    }
  }

  private func advance(to end: Int) throws(CompileError) {
    guard end > position else { return }
    let nodes = Array(order[position..<end])
    var sections: [Int: (GraphSection, Session)] = [:]
    for batch in live.indices {
      let type = typeOfBatch[batch]
      if sections[type] == nil {
        let facts = typedFacts[type]
        let section = GraphSection(
          of: graph, facts, nodes: nodes, outputs: results(of: nodes, end, facts))
        sections[type] = (section, Session(section.graph, threadCount: threadCount))
      }
      let (section, session) = sections[type]!
      if !section.outputs.isEmpty {
        let outputs = try session.run(try inputs(of: section, batch))
        for (value, tensor) in zip(section.outputs, outputs) { live[batch][value] = tensor }
      }
      live[batch] = live[batch].filter { lastUse[$0.key] ?? -1 >= end }
      guard heldByteCount <= memoryLimit else {
        throw CompileError(
          .unsupported,
          "what the samples make takes more than \(memoryLimit >> 20) MiB of memory at once; take fewer",
          at: graph.location(of: nodes[nodes.count - 1]))
      }
    }
    position = end
  }

  /// Results of nodes that nodes from `end` on read, but for what is known without running anything.
  private func results(of nodes: [NodeID], _ end: Int, _ facts: GraphFacts) -> [ValueID] {
    nodes.flatMap { graph[$0].outputs.compactMap { $0 } }.filter {
      lastUse[$0] ?? -1 >= end && !facts.isFixed($0) && facts[$0].knownTensor == nil
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
