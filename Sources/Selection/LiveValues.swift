import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// The values that a graph holds in memory while it runs, as a function of how many channels each group keeps.
///
/// Values are in memory from the node that makes them to the last that reads them, graph outputs to the end. Each element takes four
/// bytes, and extents that are left open are 1. A result takes the place of an operand of as many elements that nothing reads any more,
/// where no products are summed. What a runtime needs besides, or does without, is a factor for each node, which follows from what it
/// needs at some widths.
struct LiveValues: Sendable {
  private struct Interval {
    /// The bytes, but for the axes of `extents`.
    var bytes: Int
    var extents: [CutCost.Extent]
    /// The first and the last node, by place, at which it is in memory.
    var first: Int
    var last: Int
  }

  private var intervals: [Interval] = []
  private let nodes: [NodeID]
  private var factors: [Double]

  private static let elementSize = 4

  init(_ graph: Graph, _ facts: GraphFacts, _ extents: [Axis: CutCost.Extent]) {
    let nodes = Array(graph.nodes)
    self.nodes = nodes
    factors = nodes.map { _ in 1 }
    let places = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1, $0) })
    var intervalOfValue: [ValueID: Int] = [:]
    func last(_ value: ValueID) -> Int {
      graph[value].uses.reduce(-1) { max($0, $1.node.map { places[$0]! } ?? nodes.count - 1) }
    }
    func interval(_ value: ValueID, from first: Int) -> Interval? {
      guard !facts.isFixed(value), let shape = Self.shape(of: value, facts) else { return nil }
      var own = Interval(bytes: Self.elementSize, extents: [], first: first, last: last(value))
      own.last = max(own.last, first)
      for (axis, extent) in shape.enumerated() {
        if let known = extents[Axis(value, axis)] {
          own.extents.append(known)
        } else {
          own.bytes &*= extent
        }
      }
      return own
    }
    for input in graph.inputs {
      guard let own = interval(input, from: 0) else { continue }
      intervalOfValue[input] = intervals.count
      intervals.append(own)
    }
    for (place, id) in nodes.enumerated() {
      let sumsProducts = facts.invocation(of: id).map { $0.macs($1) > 0 } ?? true
      for result in graph[id].outputs.compactMap({ $0 }) {
        guard let own = interval(result, from: place) else { continue }
        let host =
          sumsProducts
          ? nil
          : graph[id].inputs.compactMap { $0 }.first { operand in
            guard let index = intervalOfValue[operand] else { return false }
            return intervals[index].last == place
              && facts[operand].fixedShape?.checkedElementCount
                == facts[result].fixedShape?.checkedElementCount
          }
        if let index = host.flatMap({ intervalOfValue[$0] }) {
          intervals[index].last = own.last
          intervalOfValue[result] = index
        } else {
          intervalOfValue[result] = intervals.count
          intervals.append(own)
        }
      }
    }
  }

  private static func shape(of value: ValueID, _ facts: GraphFacts) -> [Int]? {
    facts[value].shape?.map { $0.fixedExtent ?? 1 }
  }

  /// Corrects the bytes by those that a runtime needs while each node runs when group i keeps `kept[i]` channels. Nodes that it does not
  /// run by themselves have none.
  mutating func correct(by measured: [NodeID: Int], keeping kept: [Int]) {
    factors = zip(nodes, values(keeping: kept)).map { node, bytes in
      Double(measured[node] ?? 0) / Double(max(1, bytes))
    }
  }

  /// For each node the bytes that are in memory while it runs.
  private func bytes(keeping kept: [Int]) -> [Int] {
    zip(values(keeping: kept), factors).map { Int(Double($0) * $1) }
  }

  /// For each node the bytes of the values.
  private func values(keeping kept: [Int]) -> [Int] {
    var bytes = [Int](repeating: 0, count: nodes.count + 1)
    for own in intervals {
      let size = own.extents.reduce(own.bytes) { $0 &* CutCost.evaluate($1, kept) }
      bytes[own.first] &+= size
      bytes[own.last + 1] &-= size
    }
    for place in bytes.indices.dropFirst() { bytes[place] &+= bytes[place - 1] }
    return bytes.dropLast()
  }

  /// The most bytes that are in memory at one time.
  func peak(keeping kept: [Int]) -> Int { bytes(keeping: kept).max() ?? 0 }

  /// The bytes above `limit`, added up over all nodes: what cuts at any of them bring down.
  func excess(above limit: Int, keeping kept: [Int]) -> Int {
    bytes(keeping: kept).reduce(0) { $0 &+ max(0, $1 &- limit) }
  }
}
