import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// A graph whose products of quantised numbers are spelled out in operators that have kernels.
///
/// What becomes of each operator its own file says. An operator that takes a form with which that does not give the
/// same numbers stays as it is, for its reference.
struct ExpandedGraph {
  private(set) var graph: Graph
  /// New nodes whose sums are exact in whatever order their terms are added, but not by other formulas.
  private(set) var exactSums: Set<NodeID> = []
  private var one: ValueID?

  /// What takes the place of a node's results; `nil` where the node stays.
  private typealias Expansion = @Sendable (inout ExpandedGraph, NodeID, Invocation) -> [ValueID?]?

  private static let expansions: [String: Expansion] = [
    "ConvInteger": { $0.expandConvInteger($1, $2) },
    "DynamicQuantizeLinear": { graph, node, _ in graph.expandDynamicQuantizeLinear(node) },
    "MatMulInteger": { $0.expandMatMulInteger($1, $2) },
    "QLinearConv": { $0.expandQLinearConv($1, $2) },
    "QLinearMatMul": { $0.expandQLinearMatMul($1, $2) },
  ]

  init(_ graph: Graph) {
    self.graph = graph
    self.graph.becomeOriginal()
    let nodes = graph.nodes.filter { Self.expansion(of: graph[$0].operation) != nil }
    // What is wrong with the graph is said when it is planned.
    guard !nodes.isEmpty, let facts = try? GraphFacts(of: graph) else { return }
    for node in nodes {
      guard let (_, call) = facts.invocation(of: node),
        let results = Self.expansion(of: graph[node].operation)!(&self, node, call)
      else { continue }
      for (old, new) in zip(graph[node].outputs, results) {
        if let old, let new { self.graph.replaceAllUses(of: old, with: new) }
      }
      self.graph.erase(node)
    }
  }

  private static func expansion(of operation: OperationName) -> Expansion? {
    operation.domain.isEmpty ? expansions[operation.type] : nil
  }

  /// The node of the given graph that a node is or is part of.
  func origin(of node: NodeID) -> NodeOrigin { graph.origins(of: node)[0] }

  // MARK: Building

  /// Inserts a node before `node`, which it is part of, and returns its result.
  mutating func add(
    _ type: String, _ operands: [ValueID?], _ attributes: [Attribute] = [], for node: NodeID
  ) -> ValueID {
    graph.build(before: node) { $0.add(type, operands, attributes) }
  }

  /// Adds a node in the same way, whose sums have to be exact.
  mutating func addExact(
    _ type: String, _ operands: [ValueID?], _ attributes: [Attribute] = [], for node: NodeID
  ) -> ValueID {
    let result = add(type, operands, attributes, for: node)
    if let new = graph[result].definingNode { exactSums.insert(new) }
    return result
  }

  mutating func addConstant(_ tensor: Tensor, for node: NodeID) -> ValueID {
    graph.build(before: node) { $0.addConstant(tensor, "constant") }
  }

  /// The number 1 as a scalar.
  mutating func addOne(for node: NodeID) -> ValueID {
    if let one { return one }
    let value = addConstant(Tensor([1], shape: []), for: node)
    one = value
    return value
  }

  /// A whole constant with its data.
  func constant(_ value: ValueID?) -> Tensor? {
    guard let value, let tensor = graph[value].constant, tensor.hasData else { return nil }
    return tensor
  }
}
