/// Follows the extents that a graph reads at run time through its shape arithmetic.
///
/// Every extent that is read gets a name of its own, and the operators' own inference says where the
/// names come out: an element of a result that still bears a name is that extent, one that is a number
/// does not depend on any. Where inference can say neither of an element, the node computes with all
/// the extents that go into it.
struct ExtentFlow {
  /// What the extents that reach a node mean for the axes that they are of.
  struct Effect {
    /// Axes whose extents the node computes with.
    var used: [Axis] = []
    /// Axes of the node's values whose extent is, by name, that of another axis; `nil` where it is
    /// not the extent of any.
    var given: [(axis: AxisReference, origin: Axis?)] = []
  }

  private let graph: Graph
  private let facts: GraphFacts
  /// What is known of the values that extents reach.
  private var traced: [ValueID: [SymbolicInteger]] = [:]
  private var axes: [String: Axis] = [:]
  private var nameCount = 0

  init(_ graph: Graph, _ facts: GraphFacts) {
    self.graph = graph
    self.facts = facts
  }

  /// Names for elements of which nothing is known but that they are what they are.
  private mutating func newName() -> String {
    nameCount += 1
    return "\(nameCount)"
  }

  /// The axes whose extents are among the elements of a value.
  func origins(in value: ValueID) -> [Axis] {
    (traced[value] ?? []).compactMap { origin($0) }
  }

  private func origin(_ element: SymbolicInteger) -> Axis? {
    guard case .symbol(let name) = element else { return nil }
    return axes[name]
  }

  /// Follows the extents through a node. Nodes come in order of execution.
  mutating func pass(_ id: NodeID, _ relations: [Relation]) -> Effect {
    let node = graph[id]
    for case .extents(let operand, let first) in relations {
      read(node, operand: operand, first: first)
      return Effect()
    }
    var effect = Effect()
    /// For each operand that gives extents, the elements that do.
    var giving: [Int: Set<Int>] = [:]
    for case .given(let axis, let operand, let element) in relations {
      giving[operand, default: []].insert(element)
      let elements = node.inputs[operand].flatMap { traced[$0] } ?? []
      effect.given.append((axis, element < elements.count ? origin(elements[element]) : nil))
    }
    var others: [ValueID] = []
    for (operand, value) in node.inputs.enumerated() {
      guard let value, let elements = traced[value] else { continue }
      if let mentioned = giving[operand] {
        effect.used += elements.indices.filter { !mentioned.contains($0) }
          .compactMap { origin(elements[$0]) }
      } else {
        others.append(value)
      }
    }
    if !others.isEmpty, !moves(id) { effect.used += others.flatMap { origins(in: $0) } }
    return effect
  }

  /// Names the elements of a node's first result: the extents of an operand's axes.
  private mutating func read(_ node: Node, operand: Int, first: Int) {
    guard let value = node.inputs[operand], let result = node.outputs[0],
      let count = facts[result].fixedShape?.first
    else { return }
    traced[result] = (0..<count).map { index in
      let name = newName()
      axes[name] = Axis(value, first + index)
      return .symbol(name)
    }
  }

  /// Traces the results of a node, and says whether it does nothing with extents but hand them on.
  private mutating func moves(_ id: NodeID) -> Bool {
    var operands: [ValueID: ValueFacts] = [:]
    for value in graph[id].inputs.compactMap({ $0 }) { operands[value] = named(value) }
    guard
      case (let found, var call)? = facts.invocation(of: id, with: { operands[$0] ?? facts[$0] })
    else {
      return false
    }
    call.results = call.results.map { _ in .unknown }
    guard let results = try? found.inferFacts(call) else { return false }
    for (output, result) in zip(graph[id].outputs, results) {
      guard let output, !graph[output].uses.isEmpty else { continue }
      guard let elements = result.integers, !elements.contains(.unknown) else { return false }
      traced[output] = elements
    }
    return true
  }

  /// A value's facts under which every element of it that is no number has a name.
  private mutating func named(_ value: ValueID) -> ValueFacts {
    var named = facts[value]
    if let elements = traced[value] {
      named.contents = .integers(elements)
      return named
    }
    guard named.constant == nil, let type = named.elementType, type.isInteger || type == .bool,
      let shape = named.fixedShape, shape.count <= 1, shape.first ?? 1 <= 1024
    else { return named }
    let known = named.integers ?? [SymbolicInteger](repeating: .unknown, count: shape.first ?? 1)
    named.contents = .integers(
      known.map { element in
        if case .fixed = element { return element }
        return .symbol(newName())
      })
    return named
  }
}
