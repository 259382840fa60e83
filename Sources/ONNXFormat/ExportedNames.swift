import PrunecGraphIR

/// The names that a graph's values get in a file.
///
/// In a file the name of a graph output is the name of the value that it is, while here it belongs
/// to the signature. So a result of a node takes the name of an output that it is; for every other
/// case (two outputs of one value, an output that is an input or a constant under another name) an
/// `Identity` node stands between. Values whose name is taken, here or by what a nested graph can
/// see around it, get a new one; inputs and outputs of a model never do.
struct ExportedNames {
  /// What a nested graph sees: the names of a graph around it that are defined before its node.
  struct Enclosing {
    let names: ExportedNames
    let position: Int
  }

  /// An output for which a node has to be made.
  struct IdentityOutput {
    let source: ValueID
    let name: String
  }

  private(set) var identityOutputs: [IdentityOutput] = []
  /// The names of the outputs, which differ from the signature's only in nested graphs.
  private(set) var outputNames: [String] = []
  private var names: [String?]
  /// For every name, the position of the node that defines it; -1 for what no node does.
  private var positions: [String: Int] = [:]
  private let enclosing: [Enclosing]

  subscript(value: ValueID) -> String { names[Int(value.rawValue)]! }

  /// Names for the values of `graph`. `captures` are the names around it of what it captures;
  /// `isNested` says that its inputs and outputs go by position rather than by name.
  ///
  /// Throws `.malformed` where an output of a model has the name of an input and is another value.
  init(
    of graph: Graph, captures: [String], enclosing: [Enclosing], isNested: Bool
  ) throws(CompileError) {
    self.enclosing = enclosing
    names = Array(repeating: nil, count: graph.valueIDBound)
    positions.reserveCapacity(graph.valueIDBound)
    for (id, name) in zip(graph.captures, captures) { assign(name, to: id, at: -1) }
    for id in graph.inputs {
      let name = graph[id].name
      assign(positions[name] == nil ? name : unique(name, in: graph), to: id, at: -1)
    }
    try nameOutputs(of: graph, isNested: isNested)
    for id in graph.initializers where names[Int(id.rawValue)] == nil {
      assign(free(graph[id].name, in: graph), to: id, at: -1)
    }
    for (position, node) in graph.nodes.enumerated() {
      for id in graph[node].outputs.compactMap({ $0 }) {
        if let name = names[Int(id.rawValue)] {
          positions[name] = position
        } else {
          assign(free(graph[id].name, in: graph), to: id, at: position)
        }
      }
    }
  }

  private mutating func assign(_ name: String, to id: ValueID, at position: Int) {
    names[Int(id.rawValue)] = name
    positions[name] = position
  }

  private mutating func nameOutputs(of graph: Graph, isNested: Bool) throws(CompileError) {
    outputNames = graph.outputs.map { output in
      // A nested graph may put out a value from around it as it is.
      let isItsName = names[Int(output.value.rawValue)] == output.name
      let isFree = isItsName || (positions[output.name] == nil && !isVisible(output.name))
      return !isNested || isFree ? output.name : unique(output.name, in: graph)
    }
    // An output that has its value's name already goes first, so that nothing is renamed in vain.
    for (output, name) in zip(graph.outputs, outputNames)
    where graph[output.value].name == name && mayTake(name, output.value) {
      assign(name, to: output.value, at: -1)
    }
    for (output, name) in zip(graph.outputs, outputNames)
    where graph[output.value].definingNode != nil && mayTake(name, output.value) {
      assign(name, to: output.value, at: -1)
    }
    for (output, name) in zip(graph.outputs, outputNames)
    where names[Int(output.value.rawValue)] != name {
      guard positions[name] == nil else {
        throw CompileError(
          .malformed, "the graph output has the name of another input or output", at: .value(name))
      }
      positions[name] = Int.max
      identityOutputs.append(IdentityOutput(source: output.value, name: name))
    }
  }

  private func mayTake(_ name: String, _ value: ValueID) -> Bool {
    names[Int(value.rawValue)] == nil && positions[name] == nil
  }

  /// Whether a graph around this one defines the name before this one's node.
  private func isVisible(_ name: String) -> Bool {
    enclosing.contains { around in
      around.names.positions[name].map { $0 < around.position } ?? false
    }
  }

  private func free(_ name: String, in graph: Graph) -> String {
    positions[name] == nil && !isVisible(name) ? name : unique(name, in: graph)
  }

  /// A name that is in use neither here nor in any graph around.
  private func unique(_ stem: String, in graph: Graph) -> String {
    var number = 1
    while true {
      let name = "\(stem)_\(number)"
      let isTaken =
        graph.isTaken(name: name) || positions[name] != nil
        || enclosing.contains { $0.names.positions[name] != nil }
      if !isTaken { return name }
      number += 1
    }
  }
}
