import CPrunecKernels
import PrunecGraphIR
import PrunecTensors

/// How long a model takes, and each of its steps.
public struct Timing: Sendable, Encodable {
  /// One step of the plan, or several that do the same for parts of a value.
  public struct Step: Sendable, Encodable {
    /// The node, and those that are computed with it.
    public var nodes: [String]
    public var operations: [String]
    /// The kernel, or "reference".
    public var kernel: String
    public var medianMilliseconds: Double
    /// Multiplications and additions.
    public var operationCount: Int
  }

  /// Of all runs, in order, in milliseconds.
  public var milliseconds: [Double]
  public var steps: [Step]
  /// Multiplications and additions of one run.
  public var operationCount: Int

  public var medianMilliseconds: Double { Self.median(milliseconds) }

  /// The median of those runs that no other program disturbed: of what took less than half as long again as the
  /// shortest.
  public static func undisturbedMedian(_ times: [Double]) -> Double {
    let limit = 1.5 * (times.min() ?? 0)
    return median(times.filter { $0 <= limit })
  }

  static func median(_ numbers: [Double]) -> Double {
    let sorted = numbers.sorted()
    guard let middle = sorted.indices.middle else { return 0 }
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

extension Range<Int> {
  fileprivate var middle: Int? { isEmpty ? nil : lowerBound + count / 2 }
}

extension Session {
  /// Runs the model `runs` times after `warmUps` times, and times each run. With `perStep` the steps too, which costs
  /// a little time for each.
  public func measure(
    _ tensors: [Tensor], runs: Int, warmUps: Int = 3, perStep: Bool = false
  ) throws(CompileError) -> Timing {
    let plan = try plan(for: tensors)
    for _ in 0..<warmUps { _ = try run(tensors) }
    let clock = ContinuousClock()
    var total: [Double] = []
    var steps = [[Double]](repeating: [], count: plan.steps.count)
    for _ in 0..<runs {
      let start = clock.now
      if perStep {
        var last = start
        _ = try observe(plan, tensors) { index in
          let now = clock.now
          steps[index].append((now - last) / .milliseconds(1))
          last = now
        }
      } else {
        _ = try run(tensors)
      }
      total.append((clock.now - start) / .milliseconds(1))
    }
    let operations = plan.steps.reduce(0) { $0 + $1.step.operations }
    guard perStep else {
      return Timing(milliseconds: total, steps: [], operationCount: operations)
    }
    let reports = parts(of: plan).map { indices in
      let first = plan.steps[indices[0]].step
      let nodes = first.nodes.map { origin(of: $0) }.uniqued()
      return Timing.Step(
        nodes: nodes.map(\.label), operations: nodes.map(\.operation.description),
        kernel: first.kernel,
        medianMilliseconds: indices.reduce(0) { $0 + Timing.median(steps[$1]) },
        operationCount: indices.reduce(0) { $0 + plan.steps[$1].step.operations })
    }
    return Timing(milliseconds: total, steps: reports, operationCount: operations)
  }

  /// The steps of a plan; those that do the same for several parts of a value are together.
  private func parts(of plan: Plan) -> [[Int]] {
    struct Part: Hashable {
      var nodes: [NodeID]
      var kernel: String
    }
    var places: [Part: Int] = [:]
    var parts: [[Int]] = []
    for (index, bound) in plan.steps.enumerated() {
      let part = Part(nodes: bound.step.nodes, kernel: bound.step.kernel)
      if let place = places[part] {
        parts[place].append(index)
      } else {
        places[part] = parts.count
        parts.append([index])
      }
    }
    return parts
  }

  /// The bytes of the arena for inputs of these types, and the least that any arena could have.
  public func memory(for tensors: [Tensor]) throws(CompileError) -> (arena: Int, lowerBound: Int) {
    let plan = try plan(for: tensors)
    return (plan.memoryPlan.size, plan.memoryPlan.lowerBound)
  }

  /// The bytes of the arena for inputs of these types, and for each node of the model that a step begins with, the bytes that are in use
  /// while that runs.
  public func memoryUse(
    for tensors: [Tensor]
  ) throws(CompileError) -> (arena: Int, ofNode: [NodeID: Int]) {
    let plan = try plan(for: tensors)
    var ofNode: [NodeID: Int] = [:]
    for (bound, bytes) in zip(plan.steps, plan.memoryPlan.bytesInUse) {
      let node = origin(of: bound.step.nodes[0]).node
      ofNode[node] = max(ofNode[node] ?? 0, bytes)
    }
    return (plan.memoryPlan.size, ofNode)
  }
}

extension Session {
  /// The most multiplications and additions in a second that this session's threads come to when nothing is read or
  /// written.
  public func peakOperationsPerSecond() -> Double {
    let iterations = 1 << 18
    var arguments = prunec_peak()
    arguments.units = threadCount
    arguments.iterations = iterations
    let table = Kernels.table.pointee
    let call = KernelCall(arguments, units: table.peak_units, table.peak)
    let clock = ContinuousClock()
    var least = Double.infinity
    for _ in 0..<20 {
      let start = clock.now
      call.run(on: pool)
      least = min(least, (clock.now - start) / .seconds(1))
    }
    return Double(threadCount * iterations) * Double(table.peak_operations) / least
  }
}
