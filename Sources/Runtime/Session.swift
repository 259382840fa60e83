import Glibc
import PrunecGraphIR
import PrunecSemantics
import PrunecTensors

/// A model made ready to run.
///
/// ```swift
/// let session = Session(try importModel(path: "model.onnx").model.graph)
/// let outputs = try session.run(["x": Tensor(pixels, shape: [1, 3, 224, 224])])
/// print(outputs["y"]!.floats)
/// ```
///
/// Extents that the model leaves open are those of the tensors that it is given: for each combination of shapes the
/// graph is planned once, and the plans of the last sixteen are kept. Floating point numbers are computed in single precision, whatever their type. A
/// session runs one call at a time.
public final class Session {
  /// A graph input or output.
  public struct Signature: Sendable {
    public var name: String
    /// As far as the model declares it.
    public var type: TensorType?
  }

  public let inputs: [Signature]
  public let outputs: [Signature]
  private let expanded: ExpandedGraph
  private let memoryLimit: Int
  private let weights: WeightCache
  let pool: ThreadPool
  /// For the types of inputs that have been asked for last, the latest at the end.
  private var plans: [(types: [TensorType], plan: Plan)] = []
  /// Each has an arena of its own.
  private static let planLimit = 16

  /// The number of processors that are online.
  public static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// Numbers of threads that can be asked for.
  public static let threadCounts = 1...1024

  /// The instruction set that the kernels use on this processor.
  public static var instructionSet: String { Kernels.name }

  /// In bytes, what can still be taken (`MemoryLimit`).
  public static var defaultMemoryLimit: Int { MemoryLimit.available }

  /// Prepares `graph` for execution on `threadCount` threads, the caller's among them. What needs more bytes for
  /// its activations than `memoryLimit` is not run.
  public init(
    _ graph: Graph, threadCount: Int = processorCount, memoryLimit: Int = defaultMemoryLimit
  ) {
    expanded = ExpandedGraph(graph.withSunkBranches)
    self.memoryLimit = memoryLimit
    weights = WeightCache(expanded.graph)
    pool = ThreadPool(threadCount: threadCount)
    inputs = graph.inputs.map { Signature(name: graph[$0].name, type: graph[$0].tensorType) }
    outputs = graph.outputs.map {
      Signature(name: $0.name, type: ($0.declaredType ?? graph[$0.value].type)?.tensorType)
    }
  }

  public var threadCount: Int { pool.threadCount }

  /// Runs the model on named inputs.
  ///
  /// Throws a usage error where an input is missing or does not fit what the model declares, an unsupported error at a
  /// node that is not understood, and a malformed-model error where a node breaks its operator's rules.
  public func run(_ named: [String: Tensor]) throws(CompileError) -> [String: Tensor] {
    for name in named.keys.sorted() where !inputs.contains(where: { $0.name == name }) {
      throw CompileError(.usage, "the model has no input '\(name)'")
    }
    let tensors = try inputs.map { (input) throws(CompileError) -> Tensor in
      guard let tensor = named[input.name] else {
        throw CompileError(.usage, "there is no tensor for input '\(input.name)'")
      }
      return tensor
    }
    let results = try run(tensors)
    return Dictionary(zip(outputs.map(\.name), results)) { first, _ in first }
  }

  /// Runs the model on one tensor for each input, in the order of `inputs`; the results are in that of `outputs`.
  public func run(_ tensors: [Tensor]) throws(CompileError) -> [Tensor] {
    try plan(for: tensors).run(tensors, on: pool)
  }

  /// Runs a plan, and tells of each step that is done.
  func observe(
    _ plan: Plan, _ tensors: [Tensor], _ body: (Int) -> Void
  ) throws(CompileError) -> [Tensor] {
    try plan.run(tensors, on: pool, observe: body)
  }

  /// The node of the model that a node of a plan is or is part of.
  func origin(of node: NodeID) -> NodeOrigin { expanded.origin(of: node) }

  /// The plan for tensors of these types and shapes.
  func plan(for tensors: [Tensor]) throws(CompileError) -> Plan {
    guard tensors.count == inputs.count else {
      throw CompileError(.usage, "\(tensors.count) tensors are given for \(inputs.count) inputs")
    }
    for (input, tensor) in zip(inputs, tensors) { try check(tensor, input) }
    let types = tensors.map { TensorType($0.elementType, fixed: $0.shape) }
    if let index = plans.firstIndex(where: { $0.types == types }) {
      plans.append(plans.remove(at: index))
      return plans.last!.plan
    }
    let plan = try Plan(
      expanded, inputs: types, threadCount: pool.threadCount, memoryLimit: memoryLimit,
      weights: weights)
    if plans.count == Self.planLimit { plans.removeFirst() }
    plans.append((types, plan))
    return plan
  }

  private func check(_ tensor: Tensor, _ input: Signature) throws(CompileError) {
    guard let type = input.type else { return }
    if let expected = type.elementType, expected != tensor.elementType {
      throw CompileError(
        .usage, "input '\(input.name)' takes \(expected.name), not \(tensor.elementType.name)")
    }
    guard let shape = type.shape else { return }
    let fits =
      shape.count == tensor.rank
      && zip(shape, tensor.shape).allSatisfy { $0.fixedExtent ?? $1 == $1 }
    guard fits else {
      let text = shape.map { dimension in
        switch dimension.extent {
        case .fixed(let extent): "\(extent)"
        case .symbol(let name): name
        case .unknown: "?"
        }
      }
      throw CompileError(
        .usage,
        "input '\(input.name)' takes shape [\(text.joined(separator: ", "))], not \(tensor.shape)")
    }
  }
}
