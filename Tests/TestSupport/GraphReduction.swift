import PrunecGraphIR
import PrunecONNXText
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// A model as small as it gets while `fails` holds, by delta debugging.
///
/// Tried in turn, until nothing can be taken away any more: to drop outputs, to make a value in between
/// the only output, to hand on an operand instead of a result of the same type, to make a value an
/// input, to leave out an operand or an attribute, and to give a constant the elements that its name
/// stands for in text (see `seededTensor`), so that it need not be listed. What nothing uses then goes:
/// nodes, constants and inputs.
///
/// Every model that `fails` is asked about can be inferred without an error, and declares the types of
/// its inputs and outputs alone. Where the model does not fail without the types declared in between,
/// it is given back as it is.
package func reduced(_ model: Model, while fails: (Model) -> Bool) -> Model {
  withoutActuallyEscaping(fails) { fails in
    var reduction = Reduction(model, fails)
    return reduction.run() ? reduction.model : model
  }
}

/// The text of the reduced model, with large constants elided if what the text stands for fails too.
package func reducedText(of model: Model, while fails: (Model) -> Bool) -> String {
  let small = reduced(model, while: fails)
  let text = printModel(small, options: .readable)
  if let read = try? parseModel(text), fails(read) { return text }
  return printModel(small)
}

private struct Reduction {
  private(set) var model: Model
  private let fails: (Model) -> Bool

  private var graph: Graph { model.graph }

  init(_ model: Model, _ fails: @escaping (Model) -> Bool) {
    self.model = model
    self.fails = fails
  }

  /// Whether there was a failure to begin with.
  mutating func run() -> Bool {
    let outputs = graph.outputs.map { ($0.name, $0.value) }
    guard adopt(graph.part(computing: outputs)) else { return false }
    var before: UInt64
    repeat {
      before = graph.revision
      dropOutputs()
      moveOutput()
      bypassNodes()
      makeInputs()
      dropOperands()
      dropAttributes()
      seedConstants()
    } while graph.revision != before
    return true
  }

  // MARK: Steps

  /// Halves of the outputs first, then fewer and fewer at a time.
  private mutating func dropOutputs() {
    var size = graph.outputs.count / 2
    while size > 0 {
      var start = 0
      while start < graph.outputs.count, graph.outputs.count > size {
        var outputs = graph.outputs.map { ($0.name, $0.value) }
        outputs.removeSubrange(start..<min(start + size, outputs.count))
        if !attempt(outputs: outputs) { start += size }
      }
      size /= 2
    }
  }

  /// The earliest value that may be the only output becomes it.
  private mutating func moveOutput() {
    for name in results {
      if attempt(outputs: [(name, graph.value(named: name)!)]) { return }
    }
  }

  private mutating func bypassNodes() {
    for name in results {
      guard let node = definition(of: name), let id = graph.value(named: name),
        let facts = try? GraphFacts(of: graph), let type = facts[id].type
      else { continue }
      for case let operand? in graph[node].inputs where facts[operand].type == type {
        if attempt({ $0.replaceAllUses(of: id, with: operand) }) { break }
      }
    }
  }

  /// The last values first: each takes the most away.
  private mutating func makeInputs() {
    for name in results.reversed() {
      if let id = graph.value(named: name), !graph[id].isGraphOutput { attempt(from: id) }
    }
  }

  private mutating func dropOperands() {
    for name in results {
      let count = definition(of: name).map { graph[$0].inputs.count } ?? 0
      for index in (0..<count).reversed() {
        guard let node = definition(of: name), graph[node].inputs[index] != nil else { continue }
        attempt { graph in
          graph.setInput(index, of: node, to: nil)
          let last = graph[node].inputs.lastIndex { $0 != nil }
          graph.truncateInputs(of: node, to: last.map { $0 + 1 } ?? 0)
        }
      }
    }
  }

  private mutating func dropAttributes() {
    for name in results {
      let attributes = definition(of: name).map { graph[$0].attributes } ?? []
      for attribute in attributes {
        guard let node = definition(of: name) else { break }
        attempt { $0.removeAttribute(attribute.name, of: node) }
      }
    }
  }

  private mutating func seedConstants() {
    for name in graph.initializers.map({ graph[$0].name }) {
      guard let id = graph.value(named: name), let seeded = graph.seededElements(of: id) else {
        continue
      }
      attempt { $0.setTensor(of: id, to: seeded) }
    }
  }

  /// The names of what nodes compute, in the order of execution. IDs change with every step, names stay.
  private var results: [String] {
    graph.nodes.flatMap { graph[$0].outputs.compactMap { $0.map { graph[$0].name } } }
  }

  private func definition(of name: String) -> NodeID? {
    graph.value(named: name).flatMap { graph[$0].definingNode }
  }

  // MARK: Attempts

  /// Changes the graph and takes what its outputs need then, if that is smaller and still fails.
  @discardableResult
  private mutating func attempt(
    outputs: [(String, ValueID)]? = nil, from cut: ValueID? = nil,
    _ edit: (inout Graph) -> Void = { _ in }
  ) -> Bool {
    var edited = graph
    if let cut {
      guard let type = (try? GraphFacts(of: graph))?[cut].type else { return false }
      edited.setType(of: cut, to: ValueType(.tensor(type)))
    }
    edit(&edited)
    let outputs = outputs ?? edited.outputs.map { ($0.name, $0.value) }
    let part = edited.part(computing: outputs, from: cut)
    return part.size.lexicographicallyPrecedes(graph.size) && isPlain(part) && adopt(part)
  }

  /// Whether text says the graph as it is. It has a node of its own for an output that no node
  /// computes, and for a value that is an output twice.
  private func isPlain(_ graph: Graph) -> Bool {
    let values = graph.outputs.map(\.value)
    return Set(values).count == values.count
      && values.allSatisfy { graph[$0].definingNode != nil }
  }

  /// Takes the graph over if it is well formed, with the types of its outputs as they are inferred, and
  /// still fails.
  private mutating func adopt(_ graph: Graph) -> Bool {
    guard Verifier.violations(in: graph).isEmpty, let facts = try? GraphFacts(of: graph) else {
      return false
    }
    var candidate = model
    candidate.graph = graph
    for output in graph.outputs where graph[output.value].definingNode != nil {
      guard let type = facts[output.value].type else { continue }
      candidate.graph.setType(of: output.value, to: ValueType(.tensor(type)))
    }
    guard fails(candidate) else { return false }
    model = candidate
    return true
  }
}

extension Graph {
  /// What every step makes less of, the weightiest first.
  fileprivate var size: [Int] {
    let operands = nodes.reduce(0) { $0 + self[$1].inputs.count { $0 != nil } }
    let attributes = nodes.reduce(0) { $0 + self[$1].attributes.count }
    let unseeded = initializers.count { seededElements(of: $0) != nil }
    return [nodeCount, outputs.count, operands, attributes, unseeded]
  }

  /// The elements that a constant, large enough to be elided in text, is to have instead of its own.
  fileprivate func seededElements(of id: ValueID) -> Tensor? {
    guard let tensor = self[id].constant, tensor.count > PrintOptions.readable.elementLimit! else {
      return nil
    }
    let seeded = seededTensor(tensor.elementType, shape: tensor.shape, name: self[id].name)
    return seeded == tensor ? nil : seeded
  }

  /// What `outputs` need of the graph, with `cut` as an input. Types of values in between are left out.
  fileprivate func part(
    computing outputs: [(name: String, value: ValueID)], from cut: ValueID? = nil
  ) -> Graph {
    var needed = Set(outputs.map(\.value))
    var kept: [NodeID] = []
    for node in nodesReversed {
      let results = self[node].outputs.compactMap { $0 }
      guard results.contains(where: { $0 != cut && needed.contains($0) }) else { continue }
      kept.append(node)
      needed.formUnion(self[node].inputs.compactMap { $0 } + self[node].captures)
    }

    var part = Graph(name: name, opsetImports: opsetImports)
    var copies: [ValueID: ValueID] = [:]
    for id in inputs + (cut.map { [$0] } ?? []) where needed.contains(id) {
      copies[id] = part.addInput(name: self[id].name, type: self[id].type)
    }
    for id in initializers where needed.contains(id) {
      switch self[id].definition {
      case .initializer(let tensor):
        copies[id] = part.addInitializer(name: self[id].name, tensor)
      case .input, .output, .captured: break
      }
    }
    for id in kept.reversed() {
      let node = self[id]
      let results = node.outputs.map { $0.flatMap { $0 == cut ? nil : $0 } }
      let copy = part.insert(
        node.operation, name: node.name, inputs: node.inputs.map { $0.map { copies[$0]! } },
        captures: node.captures.map { copies[$0]! },
        outputs: results.map { $0.map { (self[$0].name, nil) } }, attributes: node.attributes,
        at: .atEnd)
      for case (let original?, let result?) in zip(results, part[copy].outputs) {
        copies[original] = result
      }
    }
    for output in outputs { part.addOutput(name: output.name, copies[output.value]!) }
    return part
  }
}
