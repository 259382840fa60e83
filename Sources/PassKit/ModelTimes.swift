import PrunecCoupling
import PrunecGraphIR
import PrunecRuntime
import PrunecSelection
import PrunecSemantics
import PrunecTensors

/// How long the parts of a graph take at any widths of its groups: every part is timed by itself, once for each
/// combination of its own widths, and corrected by what it takes in the whole model at full width.
///
/// What is expected of a part, and so which of its times are measured again, follows from what it takes in the model.
///
/// What a part takes alone is not what it takes in its model, mostly for what lies in which cache; measuring it there at
/// full width tells by how much. What is executed by its operator's reference is not timed, but taken to be proportional to
/// its operations.
package final class ModelTimes: MeasuredTimes {
  package let groupsOfPart: [[Int]]
  package var device: TimingDevice { .runtime(threads: threadCount) }

  private let threadCount: Int
  private let graph: Graph
  private let facts: GraphFacts
  private let coupling: CouplingAnalysis
  private let selection: ChannelSelection
  private let inputTypes: [TensorType]
  private let timer: PartTimer
  private let table: LatencyTable
  private let checkedTimes: CheckedTimes
  private let partOfNode: [NodeID: Int]
  /// By which the time of a part alone is multiplied.
  private var factors: [Double]
  /// At full width: the operations of every part, and how long it may be expected to take at most.
  private let efforts: [Int]
  private var expectedMost: [Double]
  private var isCalibrated = false
  private var known: [[[Int]: Double]]
  private let original: Session
  private let inputs: [Tensor]
  package private(set) var warnings: [Diagnostic] = []

  /// Measures `graph` at full width, on inputs of `shapes`. `original` is what it has been made from, against which results
  /// are measured.
  package init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis,
    _ selection: ChannelSelection, original: Graph, shapes: InputShapes, threadCount: Int
  ) throws(CompileError) {
    (self.graph, self.facts, self.coupling) = (graph, facts, coupling)
    self.selection = selection
    inputs = try SeededInputs().tensors(for: original, shapes: shapes.extents)
    inputTypes = inputs.map { TensorType($0.elementType, fixed: $0.shape) }
    let weightBytes = graph.initializers.reduce(0) { sum, id in
      sum + (graph[id].constant.map { $0.elementType.isFloatingPoint ? $0.count * 4 : 0 } ?? 0)
    }
    let evictsWeights = weightBytes > PartTimer.cacheSize * threadCount
    timer = PartTimer(threadCount: threadCount, evictsWeights: evictsWeights)
    self.threadCount = timer.threadCount
    table = LatencyTable(threadCount: timer.threadCount, evictsWeights: evictsWeights)
    checkedTimes = CheckedTimes(table)
    self.original = Session(original, threadCount: timer.threadCount)
    // What takes too much memory to run is refused here, with the reason; a part that does is merely not timed.
    _ = try self.original.memory(for: inputs)
    if let complaint = table.complaint {
      warnings.append(Diagnostic(.note, "times are measured anew: \(complaint)"))
    }

    let plan = try timer.parts(of: Self.typed(graph, inputTypes))
    var partOfNode: [NodeID: Int] = [:]
    for (index, part) in plan.parts.enumerated() {
      for node in part.nodes where partOfNode[node] == nil { partOfNode[node] = index }
    }
    self.partOfNode = partOfNode
    groupsOfPart = plan.parts.map { part in
      let values = part.nodes.flatMap { graph[$0].inputs + graph[$0].outputs }
      return coupling.cuttableGroups(on: values.compactMap { $0 })
    }
    known = [[[Int]: Double]](repeating: [:], count: plan.parts.count)
    factors = [Double](repeating: 1, count: plan.parts.count)
    efforts = plan.parts.map(\.effort)
    expectedMost = [Double](repeating: .infinity, count: plan.parts.count)
  }

  /// A time for the work of parts that are not timed, before the correction.
  private static let referenceSecondsPerOperation = 1e-9
  /// Noise can be of the size of the least parts.
  private static let factorRange = 0.25...4.0

  private func calibrate() throws(CompileError) {
    isCalibrated = true
    let all = Array(groupsOfPart.indices)
    let session = Session(Self.typed(graph, inputTypes), threadCount: threadCount)
    let once = try session.measure(inputs, runs: 1, warmUps: 1).medianMilliseconds / 1000
    let times = try session.seconds(
      ofNodesFor: inputs, runs: max(5, min(30, Int(Self.patience / max(once, 1e-9)))))
    var measured = [Double](repeating: 0, count: all.count)
    for (node, seconds) in times {
      if let part = partOfNode[node] { measured[part] += seconds }
    }
    for part in all where measured[part] > 0 {
      expectedMost[part] = measured[part] * Self.factorRange.upperBound
    }
    let alone = try seconds(of: all, keeping: selection.wholeCounts)
    for part in all where alone[part] > 0 && measured[part] > 0 {
      let factor = measured[part] / alone[part]
      factors[part] =
        isTimed[part]
        ? min(max(factor, Self.factorRange.lowerBound), Self.factorRange.upperBound) : factor
      expectedMost[part] = alone[part]
    }
  }

  /// How long a part may be expected to take alone at most when so many operations are left of it: in proportion to
  /// them, but for what narrow layers do not use and what every call costs.
  private func expectedMost(_ part: Int, effort: Int) -> Double {
    let share = Double(effort) / Double(max(1, efforts[part]))
    return 1.3 * expectedMost[part] * min(1, share + 0.25) + 5e-6
  }

  /// Whether the kernels compute a part.
  private lazy var isTimed = [Bool](repeating: true, count: groupsOfPart.count)

  private static func typed(_ graph: Graph, _ types: [TensorType]) -> Graph {
    var graph = graph
    for (input, type) in zip(graph.inputs, types) {
      graph.setType(of: input, to: ValueType(.tensor(type)))
    }
    return graph
  }

  /// The graph when group i keeps `kept[i]` channels.
  private func cut(_ kept: [Int]) throws(CompileError) -> Graph {
    var graph = graph
    let indices = coupling.keptIndices(removing: selection.removed(keeping: kept))
    try GraphCut(graph, facts, keeping: indices).perform(on: &graph)
    return Self.typed(graph, inputTypes)
  }

  package func seconds(
    of parts: [Int], keeping kept: [Int]
  ) throws(CompileError) -> [Double] {
    if !isCalibrated { try calibrate() }
    func key(_ part: Int) -> [Int] { groupsOfPart[part].map { kept[$0] } }
    let missing = Set(parts.filter { known[$0][key($0)] == nil })
    if !missing.isEmpty {
      let plan = try timer.parts(of: cut(kept))
      let asked = plan.parts.compactMap { part in
        part.nodes.lazy.compactMap { self.partOfNode[$0] }.first
          .flatMap { missing.contains($0) ? (part: part, index: $0) : nil }
      }
      let found = checkedTimes.seconds(
        of: asked.map {
          CheckedTimes.Part(
            $0.part.signature, expectedMost: expectedMost($0.index, effort: $0.part.effort))
        }
      ) { timer.seconds(of: asked[$0].part, in: plan, isConfirmation: $1) }
      var sums: [Int: Double] = [:]
      for ((part, index), seconds) in zip(asked, found) {
        if seconds == nil { isTimed[index] = false }
        sums[index, default: 0] +=
          seconds ?? Double(part.effort) * Self.referenceSecondsPerOperation
      }
      for index in missing { known[index][key(index)] = sums[index] ?? 0 }
    }
    return parts.map { known[$0][key($0)]! * factors[$0] }
  }

  /// Keeps what has been measured of parts for later runs.
  package func save() {
    if let failure = table.save() { warnings.append(Diagnostic(.note, failure)) }
  }

  /// For how many seconds a measurement goes on, and how many runs of a model it takes at least and at most.
  private static let patience = 1.5
  private static let runs = 6...100

  package func measureWhole() throws(CompileError) -> Double {
    try medians(of: [original])[0]
  }

  package func measure(
    keeping kept: [Int]
  ) throws(CompileError) -> (before: Double, after: Double) {
    let pruned = Session(try cut(kept), threadCount: threadCount)
    let medians = try medians(of: [original, pruned])
    return (medians[0], medians[1])
  }

  /// The medians of many undisturbed runs of some models, a few of each in turns.
  private func medians(of sessions: [Session]) throws(CompileError) -> [Double] {
    let clock = ContinuousClock()
    let start = clock.now
    var times = sessions.map { _ in [Double]() }
    repeat {
      for (index, session) in sessions.enumerated() {
        // What the other model has left in the caches is not what the model itself would find.
        let isFirst = times[index].isEmpty
        times[index] +=
          try session.measure(inputs, runs: 3, warmUps: isFirst ? 2 : 1).milliseconds
      }
    } while times[0].count < Self.runs.lowerBound
      || (times[0].count < Self.runs.upperBound
        && (clock.now - start) / .seconds(1) < Self.patience)
    return times.map { Timing.undisturbedMedian($0) / 1000 }
  }
}

extension CouplingAnalysis {
  /// The groups with channels on axes of some values that are not pinned, in order.
  func cuttableGroups(on values: [ValueID]) -> [Int] {
    var found: Set<Int> = []
    for value in values {
      for (axis, extent) in axes(of: value) {
        for index in 0..<extent {
          guard let group = channel(of: axis, index: index)?.group, groups[group].pin == nil else {
            continue
          }
          found.insert(group)
        }
      }
    }
    return found.sorted()
  }
}
