import PrunecGraphIR
import PrunecOperators

/// What is known of every value of a graph without running it: types, and the contents of constants
/// and of shape arithmetic.
public struct GraphFacts: Sendable {
  private var facts: [ValueFacts]
  /// How each node is understood, by node index.
  private var resolutions: [Resolution?]
  /// For each value, whether it is the same in every run.
  private var fixed: [Bool]
  let graph: Graph
  /// What was odd but not wrong, such as a declared shape that inference contradicts.
  public private(set) var warnings: [Diagnostic] = []
  /// The graphs of nodes that run some.
  private var bodies: [NodeID: [ControlFlow.Body]] = [:]
  /// Number of graphs around this one.
  private let depth: Int
  /// Nodes of branches (see `Merge`) that break a rule of their operators for these shapes, and nodes that need what those
  /// make: for these shapes the other branch is taken, or running fails.
  private var unreachable: Set<NodeID> = []
  /// The first rule that is broken so.
  private var firstFailure: CompileError?

  /// Infers the facts of all values of `graph`, in order of execution.
  ///
  /// Throws a malformed-model error where a node breaks its operator's rules.
  public init(of graph: Graph) throws(CompileError) {
    try self.init(of: graph, inputs: [], captures: [], depth: 0)
  }

  /// Infers the facts of a graph of a node, given what is known of its inputs and of what it captures.
  package init(
    of graph: Graph, inputs: [ValueFacts], captures: [ValueFacts] = [], depth: Int = 0
  ) throws(CompileError) {
    self.graph = graph
    self.depth = depth
    facts = [ValueFacts](repeating: .unknown, count: graph.valueIDBound)
    resolutions = [Resolution?](repeating: nil, count: graph.nodeIDBound)
    fixed = [Bool](repeating: false, count: graph.valueIDBound)
    for id in graph.valueIDs {
      let value = graph[id]
      if let constant = value.constant {
        facts[Int(id.rawValue)] = ValueFacts(constant: constant)
        fixed[Int(id.rawValue)] = true
      } else if value.definingNode == nil {
        facts[Int(id.rawValue)] = ValueFacts(value.tensorType)
      }
    }
    for (id, given) in Array(zip(graph.inputs, inputs)) + zip(graph.captures, captures) {
      facts[Int(id.rawValue)] = merge(given, declared: graph[id])
    }
    let inBranches = graph.branchNodes
    for node in graph.nodes { try infer(node, isInBranch: inBranches.contains(node)) }
  }

  /// The graphs that a node runs, with what is known of their values.
  package func bodies(of id: NodeID) -> [ControlFlow.Body] { bodies[id] ?? [] }

  /// The number of values that facts are known of: those of IDs below it.
  public var valueCount: Int { facts.count }

  public subscript(id: ValueID) -> ValueFacts { facts[Int(id.rawValue)] }

  /// Whether a value is the same in every run: a constant, or computed from constants alone by nodes
  /// that are understood.
  public func isFixed(_ id: ValueID) -> Bool { fixed[Int(id.rawValue)] }

  /// How the node is understood.
  package func resolution(of id: NodeID) -> Resolution { resolutions[Int(id.rawValue)]! }

  /// The node as its operator sees it, if it is understood.
  package func invocation(of id: NodeID) -> (any Operator, Invocation)? {
    guard case .understood(let found, let opset) = resolution(of: id) else { return nil }
    return (found, invocation(of: id, found, opset) { self[$0] })
  }

  /// How the axes of the node's operands and results belong together, as its operator states it; none
  /// where the node is not understood.
  package func relations(of id: NodeID) -> [Relation] {
    guard let (found, call) = invocation(of: id) else { return [] }
    var relations = Relations()
    found.relate(call, &relations)
    return relations.list
  }

  /// The node as its operator sees it when the facts of its values are those that `facts` gives.
  package func invocation(
    of id: NodeID, with facts: (ValueID) -> ValueFacts
  ) -> (any Operator, Invocation)? {
    guard case .understood(let found, let opset) = resolution(of: id) else { return nil }
    return (found, invocation(of: id, found, opset, facts))
  }

  private func invocation(
    of id: NodeID, _ found: any Operator, _ opset: Int, _ facts: (ValueID) -> ValueFacts
  ) -> Invocation {
    let node = graph[id]
    let operands = node.operation == Merge.operation ? reachableOperands(ofMerge: id) : node.inputs
    return Invocation(
      signature: found.signature, opset: opset, attributes: node.attributes,
      operands: operands.map { $0.map(facts) },
      results: node.outputs.map { $0.map(facts) ?? .unknown },
      location: graph.location(of: id))
  }

  // MARK: Branches

  /// Whether a node can be executed for these shapes: it is in no branch that cannot be taken.
  package func isReachable(_ id: NodeID) -> Bool { !unreachable.contains(id) }

  /// Whether a value can be computed for these shapes.
  package func isReachable(_ id: ValueID) -> Bool {
    guard !unreachable.isEmpty, let node = graph.value(id)?.definingNode else { return true }
    return isReachable(node)
  }

  /// The operands of a Merge, those that cannot be computed replaced by those of the other side.
  package func reachableOperands(ofMerge id: NodeID) -> [ValueID?] {
    guard let node = graph.node(id) else { return [] }
    let (operands, count) = (node.inputs, node.outputs.count)
    guard !unreachable.isEmpty, operands.count == 1 + 2 * count else { return operands }
    let (one, other) = (Array(operands[1...count]), Array(operands[(count + 1)...]))
    func isComplete(_ side: [ValueID?]) -> Bool {
      side.allSatisfy { value in value.map { isReachable($0) } ?? true }
    }
    guard isComplete(one) != isComplete(other) else { return operands }
    let side = isComplete(one) ? one : other
    return [operands[0]] + side + side
  }

  private mutating func infer(_ id: NodeID, isInBranch: Bool) throws(CompileError) {
    let node = graph[id]
    let isMerge = node.operation == Merge.operation
    let read = isMerge ? reachableOperands(ofMerge: id) : node.inputs + node.captures
    do throws(CompileError) {
      let lacksSome = read.contains { value in value.map { !isReachable($0) } ?? false }
      if lacksSome, let firstFailure { throw firstFailure }
      try infer(id)
    } catch {
      guard isInBranch else { throw error }
      firstFailure = firstFailure ?? error
      unreachable.insert(id)
      resolutions[Int(id.rawValue)] = .notUnderstood(
        because: "\(node.operation) is not reached for inputs of these shapes")
    }
  }

  private static let rankLimit = 64

  private mutating func infer(_ id: NodeID) throws(CompileError) {
    let node = graph[id]
    let resolution = try Resolution.of(id, in: graph)
    resolutions[Int(id.rawValue)] = resolution
    var inferred: [ValueFacts] = []
    if case .understood(let found, let opset) = resolution {
      var call = invocation(of: id, found, opset) { self[$0] }
      call.results = [ValueFacts](repeating: .unknown, count: node.outputs.count)
      inferred = try found.inferFacts(call)
      call.results = inferred
      if let constants = ConstantEvaluation.results(of: found, call, node) { inferred = constants }
    } else if depth < ControlFlow.depthLimit, let flow = ControlFlow(id, in: graph) {
      let inference = try flow.infer(
        node.inputs.map { $0.map { self[$0] } }, captures: node.captures.map { self[$0] },
        depth: depth)
      inferred = inference.results
      bodies[id] = inference.bodies
    }
    // Few bytes of a target shape, used again and again, could otherwise ask for any amount of memory.
    guard inferred.allSatisfy({ $0.rank ?? 0 <= Self.rankLimit }) else {
      throw CompileError(
        .malformed, "has a result of more than \(Self.rankLimit) axes", at: graph.location(of: id))
    }
    let isFixed =
      if case .understood = resolution {
        node.captures.isEmpty && node.inputs.allSatisfy { $0.map { self.isFixed($0) } ?? true }
      } else { false }
    for (index, output) in node.outputs.enumerated() {
      guard let output else { continue }
      fixed[Int(output.rawValue)] = isFixed
      let result = index < inferred.count ? inferred[index] : .unknown
      facts[Int(output.rawValue)] = merge(result, declared: graph[output])
    }
  }

  /// Fills what inference left open from the declared type. Where the two contradict each other,
  /// inference is right: exporters write stale shapes.
  private mutating func merge(_ inferred: ValueFacts, declared value: Value) -> ValueFacts {
    guard let declared = value.tensorType else { return inferred }
    guard var type = inferred.type else { return ValueFacts(declared) }
    if type.elementType == nil { type.elementType = declared.elementType }
    guard let declaredShape = declared.shape else {
      return ValueFacts(type, contents: inferred.contents)
    }
    guard var shape = type.shape else {
      type.shape = declaredShape
      return ValueFacts(type, contents: inferred.contents)
    }
    guard shape.count == declaredShape.count else {
      warn(value, "is declared with \(declaredShape.count) axes but has \(shape.count)")
      return inferred
    }
    for axis in shape.indices {
      switch (shape[axis].extent, declaredShape[axis].extent) {
      case (.unknown, _): shape[axis] = declaredShape[axis]
      case (.symbol(let symbol), .fixed(let stated)):
        warn(value, "axis \(axis) is declared with extent \(stated) but has \(symbol)")
      case (.fixed(let actual), .fixed(let stated)) where actual != stated:
        warn(value, "axis \(axis) is declared with extent \(stated) but has \(actual)")
      default: break
      }
    }
    type.shape = shape
    return ValueFacts(type, contents: inferred.contents)
  }

  private mutating func warn(_ value: Value, _ message: String) {
    warnings.append(Diagnostic(.warning, message, at: .value(value.name)))
  }
}
