import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Nodes between two values that do no more than arrange elements and multiply them by constants, found by trying: which channel
/// of the one each element of the other is.
///
/// No list of operators: the nodes are evaluated on marked elements. What comes out as the mark of one element, times what
/// comes out of ones, is that element; numbers of any sign and size have to come out so, too, and zeros to stay zeros.
package struct ChannelTrace: Sendable {
  /// The nodes between, in order of execution.
  package let nodes: [NodeID]
  /// The channel that each element of the result is, in row-major order.
  package let channels: [Int]
  /// The factor of each element of the result.
  package let factors: [Float]
  /// The result's shape.
  package let shape: [Int]

  /// The longest path that is followed.
  private static let nodeLimit = 32
  /// The largest source: integers up to here, and what scaling leaves of them, are told apart in single precision.
  private static let elementLimit = 1 << 21

  /// Traces the channels along `axis` of `source` to `target`. `nil` where the nodes between do anything else. `facts` have numbers
  /// for all extents.
  package init?(
    from source: ValueID, axis: Int, to target: ValueID, _ graph: Graph, _ facts: GraphFacts
  ) {
    guard let start = facts[source].fixedShape, let end = facts[target].fixedShape,
      facts[source].elementType == .float32,
      let nodes = Self.nodes(from: source, to: target, graph, facts)
    else { return nil }
    let section = GraphSection(of: graph, facts, nodes: nodes, outputs: [target])
    guard source == target || section.inputs == [source] else { return nil }
    let count = start.reduce(1, *)
    guard count > 0, count <= Self.elementLimit else { return nil }
    func result(_ elements: [Float]) -> [Float]? {
      if source == target { return elements }
      return try? ReferenceEvaluator(section.graph).run([Tensor(elements, shape: start)]).first?
        .floats
    }
    var random = SplitMix64(seed: 0)
    let numbers = (0..<count).map { _ in 1e4 * random.nextNormal() }
    let small = (0..<count).map { _ in random.nextNormal() }
    guard let zeros = result([Float](repeating: 0, count: count)), zeros.allSatisfy({ $0 == 0 }),
      let ones = result([Float](repeating: 1, count: count)), ones.allSatisfy({ $0 != 0 }),
      let marks = result((0..<count).map { Float($0 + 1) }), let large = result(numbers),
      let little = result(small)
    else { return nil }
    func isClose(_ found: Float, _ expected: Float) -> Bool {
      abs(found - expected) <= 1e-4 * abs(expected)
    }
    let inner = start[(axis + 1)...].reduce(1, *)
    var channels: [Int] = []
    for index in ones.indices {
      let mark = (marks[index] / ones[index]).rounded()
      guard mark >= 1, mark <= Float(count) else { return nil }
      let element = Int(mark) - 1
      guard isClose(large[index], ones[index] * numbers[element]),
        isClose(little[index], ones[index] * small[element])
      else { return nil }
      channels.append(element / inner % start[axis])
    }
    factors = ones
    self.nodes = nodes
    self.channels = channels
    shape = end
  }

  /// The nodes on the way, if `source` is all that `target` depends on that is not known.
  private static func nodes(
    from source: ValueID, to target: ValueID, _ graph: Graph, _ facts: GraphFacts
  ) -> [NodeID]? {
    var found: Set<NodeID> = []
    var open = [target]
    var reached = source == target
    while let value = open.popLast() {
      if value == source {
        reached = true
        continue
      }
      if facts.isFixed(value) || facts[value].knownTensor != nil { continue }
      guard let node = graph[value].definingNode, found.count < nodeLimit else { return nil }
      if found.insert(node).inserted { open += graph[node].inputs.compactMap { $0 } }
    }
    guard reached else { return nil }
    return graph.nodes.filter(found.contains)
  }
}

extension ChannelTrace {
  /// The channels along the last axis, or the one before it, for each index of the axes before the last two; `nil` where they
  /// differ along the other one, or have different factors.
  package func lists(alongLast isLast: Bool) -> [[Int]]? {
    guard shape.count >= 2 else { return nil }
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    let (count, others) = isLast ? (columns, rows) : (rows, columns)
    var lists: [[Int]] = []
    for start in stride(from: 0, to: channels.count, by: max(1, rows * columns)) {
      func place(_ index: Int, _ other: Int) -> Int {
        start + (isLast ? other * columns + index : index * columns + other)
      }
      let list = (0..<count).map { channels[place($0, 0)] }
      for other in 0..<others {
        for index in 0..<count
        where channels[place(index, other)] != list[index]
          || factors[place(index, other)] != factors[place(0, other)]
        {
          return nil
        }
      }
      lists.append(list)
    }
    return lists
  }
}
