import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// A graph made ready for inputs of given shapes.
final class Plan {
  /// A step with its memory.
  struct BoundStep {
    var step: Step
    var work: Step.Bound
  }

  let steps: [BoundStep]
  let memory: Memory
  let memoryPlan: MemoryPlan
  private let graph: Graph
  /// The work of each step, in their order.
  private let work: [Step.Bound]
  private let inputs: [Planner.Place]
  /// Inputs of the latest run, where they stay in place throughout a run: the same ones need not be stored again.
  private var latest: [Tensor?]
  private let keepsInputs: Bool
  private let outputs: [(place: Planner.Place, type: ElementType?)]

  /// Plans `graph`, whose inputs have the types that are given, one for each. Those that `known` has, which may be
  /// shorter, have these elements in every run. `keepsInputs` says that many runs in a row share inputs.
  init(
    _ expanded: ExpandedGraph, inputs types: [TensorType], known: [Tensor?] = [],
    keepsInputs: Bool = false, threadCount: Int, memoryLimit: Int, weights: WeightCache
  ) throws(CompileError) {
    var graph = expanded.graph
    for (input, type) in zip(graph.inputs, types) {
      graph.setType(of: input, to: ValueType(.tensor(type)))
    }
    let facts = try GraphFacts(
      of: graph,
      inputs: known.indices.map { index in
        known[index].map { ValueFacts(constant: $0) } ?? ValueFacts(types[index])
      })
    var planner = try Planner(
      graph, facts, exactSums: expanded.exactSums, threadCount: threadCount, weights: weights)
    let inputs = graph.inputs.map { planner.places[$0]! }
    var outputs: [(place: Planner.Place, type: ElementType?)] = []
    for output in graph.outputs {
      outputs.append((try planner.place(of: output.value), facts[output.value].elementType))
    }
    func buffers(_ places: [Planner.Place]) -> [Int] {
      places.compactMap { if case .view(let view) = $0 { view.buffer } else { nil } }
    }
    memoryPlan = MemoryPlan(
      planner.steps, planner.buffers, inputs: buffers(inputs),
      outputs: buffers(outputs.map(\.place)) + (keepsInputs ? buffers(inputs) : []))
    let copied = max(
      outputs.reduce(0) { $0 + $1.place.byteCount },
      planner.steps.lazy.map(\.copiedByteCount).max() ?? 0)
    let size = memoryPlan.size + copied
    guard size <= memoryLimit else {
      throw CompileError(
        .unsupported,
        "needs \(size >> 20) MiB of memory for activations, and \(memoryLimit >> 20) MiB are left",
        at: Self.largest(in: graph, facts),
        notes: ["--memory sets the limit, which the machine bounds"])
    }
    let memory = Memory(
      planner.buffers, offsets: memoryPlan.offsets, arenaSize: memoryPlan.size,
      boxCount: planner.boxCount, weights: weights)
    for (box, tensor) in planner.boxed { memory.boxes[box] = tensor }
    steps = try planner.steps.map { (step) throws(CompileError) in
      let bound = BoundStep(step: step, work: try memory.bind(step))
      // Weights that are computed are large, and packed now.
      weights.forgetEvaluated()
      return bound
    }
    for buffer in buffers(outputs.map(\.place)) { try memory.prepare(buffer) }
    self.memory = memory
    self.graph = graph
    self.keepsInputs = keepsInputs
    work = steps.map(\.work)
    latest = [Tensor?](repeating: nil, count: inputs.count)
    self.inputs = inputs
    self.outputs = outputs
  }

  /// The node whose results take most memory.
  private static func largest(in graph: Graph, _ facts: GraphFacts) -> Location? {
    func size(_ id: NodeID) -> Int {
      graph[id].outputs.compactMap { $0 }.map { facts[$0].fixedShape?.checkedElementCount ?? 0 }
        .max() ?? 0
    }
    return graph.nodes.max { size($0) < size($1) }.map { graph.location(of: $0) }
  }

  /// Executes the graph on tensors of the planned types. `observe` gets the index of each step after it is done.
  func run(
    _ tensors: [Tensor], on pool: ThreadPool, observe: (Int) -> Void = { _ in }
  ) throws(CompileError) -> [Tensor] {
    for index in inputs.indices {
      switch inputs[index] {
      case .view(let view):
        guard !keepsInputs || !tensors[index].sharesStorage(with: latest[index]) else { continue }
        memory.store(tensors[index], to: view, on: pool)
        if keepsInputs { latest[index] = tensors[index] }
      case .box(let box): memory.boxes[box] = tensors[index]
      }
    }
    for index in work.indices {
      switch work[index] {
      case .kernel(let call): call.run(on: pool)
      case .conditional(let call, let condition): if condition.pointee != 0 { call.run(on: pool) }
      case .reference(let step, let memory): try step.run(memory, on: pool)
      case .preparation(let prepare, let memory): try prepare(memory)
      }
      observe(index)
    }
    return outputs.map { output in
      switch output.place {
      case .view(let view): memory.tensor(view, as: output.type ?? view.type, on: pool)
      case .box(let index): memory.boxes[index]!
      }
    }
  }

  /// Lets go of the inputs of the latest run.
  func forgetInputs() {
    for index in latest.indices { latest[index] = nil }
  }
}
