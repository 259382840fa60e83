import PrunecGraphIR

/// The names under which a graph's values are printed.
///
/// A value bears its own name, with these exceptions: a captured value bears its name in the graph
/// around; the value of a graph output bears the name that the signature gives it; and a value that
/// would hide one of a surrounding graph, or whose name an output has claimed, gets a new name.
struct PrintedNames {
  /// By value ID.
  private var names: [String]
  /// The name of each graph output.
  private(set) var outputs: [String] = []
  /// Outputs that need an `Identity` from the value's name to the output's.
  private(set) var identities: [(from: String, to: String)] = []
  private var taken: Set<String>

  subscript(id: ValueID) -> String { names[Int(id.rawValue)] }

  /// - Parameters:
  ///   - captured: the names of the captured values in the graph around; `nil` where it is not
  ///     printed, and they keep their own.
  ///   - visible: all names that are visible where the graph begins.
  init(of graph: Graph, captured: [String]?, visible: Set<String>) {
    names = Array(repeating: "", count: graph.valueIDBound)
    taken = visible
    for (index, id) in graph.captures.enumerated() {
      names[Int(id.rawValue)] = captured?[index] ?? graph[id].name
      taken.insert(self[id])
    }
    let listed = graph.initializers.filter { graph[$0].isListedAsInput }
    for id in graph.inputs + listed { give(id, graph[id].name, in: graph) }
    nameOutputs(of: graph)
    for id in graph.valueIDs where self[id].isEmpty { give(id, graph[id].name, in: graph) }
  }

  private mutating func give(_ id: ValueID, _ name: String, in graph: Graph) {
    names[Int(id.rawValue)] = claim(name, in: graph)
  }

  /// The name, or a new one where it is taken.
  private mutating func claim(_ name: String, in graph: Graph) -> String {
    if taken.insert(name).inserted { return name }
    var number = 1
    while taken.contains("\(name)_\(number)") || graph.isTaken(name: "\(name)_\(number)") {
      number += 1
    }
    let unique = "\(name)_\(number)"
    taken.insert(unique)
    return unique
  }

  private mutating func nameOutputs(of graph: Graph) {
    // An output that is called like its value comes before others of the same value.
    var owners: [ValueID: Int] = [:]
    for (index, output) in graph.outputs.enumerated() where bears(output, in: graph) {
      if owners[output.value] == nil { owners[output.value] = index }
    }
    for (index, output) in graph.outputs.enumerated() {
      guard case .output = graph[output.value].definition, owners[output.value] == nil else {
        continue
      }
      owners[output.value] = index
    }
    var identities: [(value: ValueID, name: String)] = []
    for (index, output) in graph.outputs.enumerated() {
      if owners[output.value] == index {
        if self[output.value].isEmpty { give(output.value, output.name, in: graph) }
        outputs.append(self[output.value])
      } else {
        outputs.append(claim(output.name, in: graph))
        identities.append((output.value, outputs[index]))
      }
    }
    // Constants that are outputs under another name have none until here.
    for (value, name) in identities {
      if self[value].isEmpty { give(value, graph[value].name, in: graph) }
      self.identities.append((self[value], name))
    }
  }

  /// Whether the value has the output's name already.
  private func bears(_ output: Graph.Output, in graph: Graph) -> Bool {
    let name = self[output.value]
    return (name.isEmpty ? graph[output.value].name : name) == output.name
  }
}
