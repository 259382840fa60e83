import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// The values of a model that are the same in every run, and what has been made of them: shared by all plans.
///
/// A plan that is only timed needs no weights of its own: any numbers stand in for floating point ones.
final class WeightCache: @unchecked Sendable {
  private let graph: Graph
  private let standIns: (facts: GraphFacts, numbers: StandInNumbers)?
  private var evaluated: [ValueID: Tensor] = [:]
  private var converted: [ValueID: TensorStorage] = [:]
  private var packed: [PackedWeights.Key: PackedWeights] = [:]
  private var bodies: [NodeID: BodySessions] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    standIns = nil
  }

  /// For timing alone: `numbers` stand in for all that are floating point.
  init(_ graph: Graph, _ facts: GraphFacts, standIns numbers: StandInNumbers) {
    self.graph = graph
    standIns = (facts, numbers)
  }

  /// The tensor of a fixed value.
  func tensor(_ value: ValueID) throws(CompileError) -> Tensor {
    if let (facts, numbers) = standIns, facts[value].elementType?.isFloatingPoint == true,
      let shape = facts[value].fixedShape, let count = shape.checkedElementCount
    {
      return Tensor(.float32, shape: shape, storage: numbers.storage(count))
    }
    if let constant = graph[value].constant {
      guard constant.hasData else {
        throw CompileError(.unsupported, "has no data to run with", at: .value(graph[value].name))
      }
      return constant
    }
    if let known = evaluated[value] { return known }
    guard case .output(let node, _) = graph[value].definition else {
      throw CompileError(.unsupported, "has no data to run with", at: .value(graph[value].name))
    }
    let operands = try graph[node].inputs.map { (input) throws(CompileError) in
      try input.map { (input) throws(CompileError) in try tensor(input) }
    }
    let results = try ReferenceEvaluator(graph).evaluate(node, operands)
    for (output, tensor) in zip(graph[node].outputs, results) {
      if let output { evaluated[output] = tensor }
    }
    return evaluated[value]!
  }

  /// The elements of a constant as views store them: floating point numbers as float32, in one aligned piece.
  func storage(of constant: Constant) throws(CompileError) -> TensorStorage {
    switch constant {
    case .tensor(let tensor): return Self.storage(of: tensor)
    case .value(let value):
      if let known = converted[value] { return known }
      let storage = Self.storage(of: try tensor(value))
      converted[value] = storage
      return storage
    case .rearranged(let whole, let view, let order):
      let source = try storage(of: whole)
      let copy = View(buffer: view.buffer, type: view.type, shape: view.shape, order: order)
      let count = view.shape.elementCount
      return TensorStorage(byteCount: count * view.elementSize) { bytes in
        guard count > 0 else { return }
        let first = source.bytes.baseAddress! + view.offset * view.elementSize
        KernelCall.copyNow(from: first, view, to: bytes.baseAddress!, copy)
      }
    }
  }

  private static func storage(of tensor: Tensor) -> TensorStorage {
    var tensor = tensor.contiguous
    if tensor.elementType.isFloatingPoint, tensor.elementType != .float32 {
      tensor = Tensor(tensor.floats, shape: tensor.shape)
    }
    // Bytes of a mapped file may lie anywhere.
    let isAligned = tensor.withUnsafeBytes {
      Int(bitPattern: $0.baseAddress) % max(tensor.elementType.bitWidth / 8, 1) == 0
    }
    if !isAligned {
      tensor.withUnsafeMutableBytes { _ in }
    }
    return tensor.storage!
  }

  /// Weights packed as `packing` says, whose addresses are filled in here: those of a fixed value, each output channel
  /// times its factor. `offset` is that of the first element. Packed once for each key.
  func packed(
    _ key: PackedWeights.Key, _ packing: prunec_packing, of value: ValueID, offset: Int = 0,
    factors: [Float]? = nil, biases: [Float]?
  ) -> PackedWeights {
    packed(key, count: Kernels.packedCount(packing), hasBiases: biases != nil) {
      (cache) throws(CompileError) in
      let tensor = try cache.tensor(value)
      try MemoryLimit.ask(
        4 * (Kernels.packedCount(packing) + tensor.count), for: "packed weights",
        at: cache.graph.location(of: key.node))
      let contents = PackedWeights.Contents(
        packing, tensor.floats, offset: offset, factors: factors, biases: biases)
      tensor.giveBack()
      return contents
    }
  }

  /// What `make` gives, which is called at most once for each key: `count` numbers, and biases where there are some.
  func packed(
    _ key: PackedWeights.Key, count: Int, hasBiases: Bool,
    _ make: @escaping (WeightCache) throws(CompileError) -> PackedWeights.Contents
  ) -> PackedWeights {
    if let known = packed[key] { return known }
    let weights =
      if let numbers = standIns?.numbers {
        PackedWeights { (_) throws(CompileError) in
          PackedWeights.Contents(
            weights: numbers.storage(count), biases: hasBiases ? numbers.storage(count) : nil)
        }
      } else { PackedWeights(make) }
    packed[key] = weights
    return weights
  }

  /// The graphs of a control-flow node made ready to run; `nil` for any other node. `facts` say which values are fixed.
  func bodies(of node: NodeID, _ facts: GraphFacts) throws(CompileError) -> BodySessions? {
    if let known = bodies[node] { return known }
    guard let flow = ControlFlow(node, in: graph) else { return nil }
    func constant(_ value: ValueID) throws(CompileError) -> Tensor? {
      if let constant = graph[value].constant { return constant }
      return facts.isFixed(value) ? try tensor(value) : nil
    }
    let sessions = BodySessions(
      flow,
      operands: try graph[node].inputs.map { (input) throws(CompileError) in
        try input.flatMap(constant)
      },
      captures: try graph[node].captures.map(constant))
    bodies[node] = sessions
    return sessions
  }

  /// Lets go of what has been evaluated: what steps need of it they hold, packed or as it is.
  func forgetEvaluated() { evaluated = [:] }
}
