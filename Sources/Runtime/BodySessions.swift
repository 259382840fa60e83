import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// The graphs of an If, a Loop or a Scan, run by kernels.
///
/// Each is planned when it is first run, for the shapes that it is then given. Its weights are packed once, whatever the
/// plan of the graph around it.
final class BodySessions {
  private let flow: ControlFlow
  /// For each graph the constants among its inputs, and after them among what it captures.
  private let constants: [[Tensor?]]
  private var sessions: [BodySession?]

  /// `operands` and `captures` have those of the node that are constants.
  init(_ flow: ControlFlow, operands: [Tensor?], captures: [Tensor?]) {
    self.flow = flow
    constants = flow.graphs.map { graph in
      graph.inputs.indices.map { input in
        flow.invariantOperand(ofInput: input).flatMap { operands[$0] }
      } + captures
    }
    sessions = [BodySession?](repeating: nil, count: flow.graphs.count)
  }

  /// The node's results. `known` has those of the captures that are the same in every run of the plan around.
  func run(
    _ operands: [Tensor?], captures: [Tensor], known: [Tensor?], on pool: ThreadPool
  ) throws(CompileError) -> [Tensor] {
    var effort = EvaluationEffort()
    defer { for session in sessions { session?.forgetInputs() } }
    return try flow.evaluate(operands, &effort) { (index, inputs, _) throws(CompileError) in
      let session = try session(index)
      let unknown = [Tensor?](repeating: nil, count: inputs.count)
      return try session.run(inputs + captures, known: unknown + known, on: pool)
    }
  }

  private func session(_ index: Int) throws(CompileError) -> BodySession {
    if let known = sessions[index] { return known }
    let session = try BodySession(flow.graphs[index], constants: constants[index])
    sessions[index] = session
    return session
  }
}

/// A graph of a node, made ready to run.
private final class BodySession {
  /// Places, among the graph's inputs followed by its captures, of the inputs of `expanded`.
  private let places: [Int]
  private let results: [Result]
  private let expanded: ExpandedGraph
  private let weights: WeightCache
  /// The latest at the end.
  private var plans: [(key: Key, plan: Plan)] = []
  /// Each has an arena of its own.
  private static let planLimit = 16

  /// An output of the graph.
  private enum Result {
    /// The output of `expanded` at an index.
    case computed(Int)
    /// The input or capture at a place, as it is.
    case given(Int)
  }

  private struct Key: Equatable {
    var types: [ElementType]
    var shapes: [[Int]]
    var known: [Tensor?]
  }

  /// `constants` has those of the inputs, and after them of the captures, that are constants.
  init(_ graph: Graph, constants: [Tensor?]) throws(CompileError) {
    let known = constants.map { $0.map { ValueFacts(constant: $0) } ?? .unknown }
    let facts = try GraphFacts(
      of: graph, inputs: Array(known.prefix(graph.inputs.count)),
      captures: Array(known.dropFirst(graph.inputs.count)))
    let outside = graph.inputs + graph.captures
    var computed: [ValueID] = []
    results = graph.outputs.map { output in
      if let place = outside.firstIndex(of: output.value) { return .given(place) }
      computed.append(output.value)
      return .computed(computed.count - 1)
    }
    var section = GraphSection(
      of: graph, facts, nodes: Array(graph.nodes), outputs: computed)
    places = section.inputs.map { outside.firstIndex(of: $0)! }
    // Exporters declare in a body what holds of the first iteration alone.
    section.graph.forgetTypes()
    expanded = ExpandedGraph(section.graph)
    weights = WeightCache(expanded.graph)
  }

  /// Runs the graph on tensors for its inputs and captures. `known` has those that stay the same from run to run.
  func run(
    _ tensors: [Tensor], known: [Tensor?], on pool: ThreadPool
  ) throws(CompileError) -> [Tensor] {
    let inputs = places.map { tensors[$0] }
    let key = Key(
      types: inputs.map(\.elementType), shapes: inputs.map(\.shape),
      known: places.map { known[$0] })
    let computed = try plan(for: key, pool).run(inputs, on: pool)
    return results.map { result in
      switch result {
      case .computed(let index): computed[index]
      case .given(let place): tensors[place]
      }
    }
  }

  func forgetInputs() {
    for (_, plan) in plans { plan.forgetInputs() }
  }

  private func plan(for key: Key, _ pool: ThreadPool) throws(CompileError) -> Plan {
    if let index = plans.lastIndex(where: { $0.key == key }) {
      if index < plans.count - 1 { plans.append(plans.remove(at: index)) }
      return plans.last!.plan
    }
    let plan = try Plan(
      expanded, inputs: zip(key.types, key.shapes).map { TensorType($0, fixed: $1) },
      known: key.known, keepsInputs: true, threadCount: pool.threadCount,
      memoryLimit: Session.defaultMemoryLimit, weights: weights)
    if plans.count == Self.planLimit { plans.removeFirst() }
    plans.append((key, plan))
    return plan
  }
}
