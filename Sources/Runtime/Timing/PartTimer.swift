import Glibc
import PrunecGraphIR
import PrunecTensors

/// Times single parts of plans, on memory in the state in which a model would find it: what a part reads has just been
/// written, and its weights have been pushed out of the cache by those of the other layers, if they do not all fit
/// into it.
package final class PartTimer {
  package let threadCount: Int
  private let pool: ThreadPool
  private let numbers = StandInNumbers()
  /// What pushes everything else out of the second-level cache of every thread's processor.
  private let eviction: KernelCall?
  private var evictionMemory: UnsafeMutableRawPointer?
  private var arena: UnsafeMutableRawPointer
  private var arenaSize = 1 << 20

  /// In bytes, of one processor.
  package static var cacheSize: Int {
    let size = sysconf(Int32(_SC_LEVEL2_CACHE_SIZE))
    return size > 0 ? size : 1 << 20
  }

  package init(threadCount: Int, evictsWeights: Bool) {
    pool = ThreadPool(threadCount: threadCount)
    self.threadCount = pool.threadCount
    arena = .allocate(byteCount: arenaSize, alignment: 64)
    guard evictsWeights else {
      eviction = nil
      return
    }
    let view = View(
      buffer: 0, type: .float32, shape: [pool.threadCount * 16, Self.cacheSize / 64],
      order: [0, 1])
    let size = view.shape.elementCount * 4
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 2 * size, alignment: 64)
    memset(memory, 0, 2 * size)
    evictionMemory = memory
    eviction = .copy(from: memory, view, to: memory + size, view)
  }

  deinit {
    arena.deallocate()
    evictionMemory?.deallocate()
  }

  /// The parts of the plan of a graph whose inputs have fixed extents.
  package func parts(of graph: Graph) throws(CompileError) -> PlanParts {
    try PlanParts(graph, threadCount: threadCount, numbers)
  }

  /// Of at least and at most how many runs the shortest is taken, and for how long more than the fewest are made.
  private static let runs = 2...8
  private static let patience = Duration.milliseconds(4)
  private static let confirmationRuns = 1...2

  /// The shortest time of some runs, in seconds; `nil` for a part that is executed by its operator's reference.
  /// A confirmation of what is known makes fewer.
  package func seconds(
    of part: PlanParts.Part, in plan: PlanParts, isConfirmation: Bool = false
  ) -> Double? {
    guard let work = try? bind(part, plan) else { return nil }
    let runs = isConfirmation ? Self.confirmationRuns : Self.runs
    let clock = ContinuousClock()
    let begin = clock.now
    var least = Double.infinity
    // The first run finds memory that has never been touched.
    for run in 0...runs.upperBound {
      eviction?.run(on: pool)
      prepareOperands(work)
      let start = clock.now
      for step in work.steps {
        switch step {
        // Nothing is left out: sequences are as long as they may be.
        case .kernel(let call), .conditional(let call, _): call.run(on: pool)
        case .preparation(let prepare, let memory):
          guard (try? prepare(memory)) != nil else { return nil }
        case .reference: return nil
        }
      }
      if run > 0 { least = min(least, (clock.now - start) / .seconds(1)) }
      if run >= runs.lowerBound, clock.now - begin > Self.patience { break }
    }
    return least
  }

  private struct Work {
    var steps: [Step.Bound]
    /// Where what it reads lies in the arena.
    var operands: [Range<Int>]
    /// Indices are zero: there always is an element of that index.
    var isIndexing: Bool
  }

  private func bind(_ part: PlanParts.Part, _ plan: PlanParts) throws(CompileError) -> Work? {
    guard !part.steps.contains(where: { $0.kernel == ReferenceStep.kernel }) else { return nil }
    var offsets = [Int](repeating: 0, count: plan.buffers.count)
    let used = Set(part.steps.flatMap { $0.reads + $0.writes }).sorted()
    let written = Set(part.steps.flatMap(\.writes))
    var operands: [Range<Int>] = []
    var size = 0
    for buffer in used where plan.buffers[buffer].constant == nil {
      offsets[buffer] = size
      let count = plan.buffers[buffer].byteCount
      if !written.contains(buffer) { operands.append(size..<(size + count)) }
      // Not at the same place of a page: that slows down what reads one and writes another.
      size += (count + 63) / 64 * 64 + 17 * 64
    }
    guard size <= Session.defaultMemoryLimit else { return nil }
    if size > arenaSize {
      arena.deallocate()
      arena = .allocate(byteCount: size, alignment: 64)
      arenaSize = size
    }
    let memory = Memory(
      plan.buffers, offsets: offsets, boxCount: plan.boxCount,
      weights: plan.weights, arena: arena)
    let steps = try part.steps.map { (step) throws(CompileError) in try memory.bind(step) }
    return Work(
      steps: steps, operands: operands,
      isIndexing: part.steps.contains { $0.kernel == "indices" })
  }

  private func prepareOperands(_ work: Work) {
    for range in work.operands where !range.isEmpty {
      if work.isIndexing {
        memset(arena + range.lowerBound, 0, range.count)
      } else {
        let source = numbers.storage((range.count + 3) / 4)
        memcpy(arena + range.lowerBound, source.bytes.baseAddress!, range.count)
      }
    }
  }
}

extension Session {
  /// How long the steps take that begin with each node of the model, in seconds, when the whole model runs: medians.
  public func seconds(
    ofNodesFor tensors: [Tensor], runs: Int, warmUps: Int = 2
  ) throws(CompileError) -> [NodeID: Double] {
    let plan = try plan(for: tensors)
    for _ in 0..<warmUps { _ = try run(tensors) }
    let clock = ContinuousClock()
    var times = [[Double]](repeating: [], count: plan.steps.count)
    for _ in 0..<runs {
      var last = clock.now
      _ = try observe(plan, tensors) { index in
        let now = clock.now
        times[index].append((now - last) / .seconds(1))
        last = now
      }
    }
    var sums: [NodeID: Double] = [:]
    for (bound, times) in zip(plan.steps, times) {
      sums[origin(of: bound.step.nodes[0]).node, default: 0] += Timing.undisturbedMedian(times)
    }
    return sums
  }
}
