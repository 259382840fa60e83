import PrunecGraphIR
import PrunecOperators
import PrunecPassKit

/// Puts the bodies of model-local functions in the place of their calls.
///
///     f (a, b) => (c) { t = Mul(a, b);  c = Relu(t) }
///     y = f(x, w)                                        =>   t = Mul(x, w)
///                                                             y = Relu(t)
///
/// What is written as a function can then be pruned like anything else. Values and nodes of the body
/// are named after the call.
///
/// Legal where
/// 1. the model defines the function, and the call has no more operands, results and attributes than it;
/// 2. of the operator sets that the function and the graph import in different versions, the body uses
///    only operators that are the same in both;
/// 3. every attribute of the function that a node of the body refers to stands on that node itself, not
///    inside a subgraph;
/// 4. what the call leaves out is neither a result of the function nor used inside a subgraph;
/// 5. the graph does not grow beyond a million nodes.
/// A call of any other kind stays, and with it the function.
package struct InlineFunctions: Pass {
  package static let name = "inline-functions"
  package static let summary = "put the bodies of functions in the place of their calls"
  package static let effect = Effect.preserving(tolerance: 0)

  private static let nodeLimit = 1 << 20

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let functions = Dictionary(
      context.functions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    guard !functions.isEmpty else { return }
    var calls = Array(graph.nodes.reversed())
    var names = UniqueNames(ofNodesIn: graph)
    while let id = calls.popLast() {
      guard let function = functions[graph[id].operation], graph.nodeCount < Self.nodeLimit,
        canInline(function, at: id, graph)
      else { continue }
      calls += inline(function, at: id, &graph, &names).reversed()
    }
  }

  // MARK: Find

  private func canInline(_ function: Function, at id: NodeID, _ graph: Graph) -> Bool {
    let node = graph[id]
    let body = function.body
    let known = Set(function.attributes + function.attributeDefaults.map(\.name))
    let absent = Set(
      body.inputs.enumerated().filter { index, _ in
        index >= node.inputs.count || node.inputs[index] == nil
      }.map(\.element))
    return node.inputs.count <= body.inputs.count && node.outputs.count <= body.outputs.count
      && node.captures.isEmpty && node.attributes.allSatisfy { known.contains($0.name) }
      && body.meansTheSame(underImportsOf: graph)
      && body.outputs.allSatisfy { !absent.contains($0.value) }
      && body.nodes.allSatisfy { inner in
        absent.isDisjoint(with: body[inner].captures)
          && body[inner].attributes.allSatisfy { $0.graphs.allSatisfy { !$0.refersToAttributes } }
      }
  }

  // MARK: Perform

  /// Inlines one call, and gives the nodes that take its place.
  private func inline(
    _ function: Function, at id: NodeID, _ graph: inout Graph, _ names: inout UniqueNames
  ) -> [NodeID] {
    let call = graph[id]
    let body = function.body
    for imported in body.opsetImports where graph.opsetVersion(of: imported.domain) == nil {
      graph.opsetImports.append(imported)
    }
    let stem = call.name.isEmpty ? function.name.type : call.name
    // What the call leaves out, the body sees as left out.
    var values: [ValueID: ValueID] = [:]
    for (input, value) in zip(body.inputs, call.inputs) { values[input] = value }
    return graph.inline(body, at: id, values: values, prefix: "\(stem)/", &names) {
      resolved($0, function, call)
    }
  }

  /// An attribute of the body as it is at a call; `nil` where the call does not give it.
  private func resolved(_ attribute: Attribute, _ function: Function, _ call: Node) -> Attribute? {
    guard case .reference(let name, _) = attribute.value else { return attribute }
    let given =
      call.attribute(name) ?? function.attributeDefaults.first { $0.name == name }
    return given.map { Attribute(attribute.name, $0.value, annotations: attribute.annotations) }
  }
}

extension Graph {
  /// Whether every operator, here or in a subgraph, is the same in the version of its set that `other`
  /// imports, if it imports the set.
  fileprivate func meansTheSame(underImportsOf other: Graph) -> Bool {
    nodes.allSatisfy { id in
      let operation = self[id].operation
      return opsetVersion(of: operation.domain).flatMap { version in
        other.opsetVersion(of: operation.domain).map {
          OperatorHistory.isSame(operation, in: version, and: $0)
        }
      } ?? true
        && self[id].attributes.allSatisfy { attribute in
          attribute.graphs.allSatisfy { $0.meansTheSame(underImportsOf: other) }
        }
    }
  }

  /// Whether a node, here or in a subgraph, has an attribute that refers to one of a function.
  fileprivate var refersToAttributes: Bool {
    nodes.contains { node in
      self[node].attributes.contains { attribute in
        if case .reference = attribute.value { return true }
        return attribute.graphs.contains { $0.refersToAttributes }
      }
    }
  }
}
