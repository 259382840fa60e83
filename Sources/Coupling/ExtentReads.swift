import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// Which elements of a vector of extents, read at run time, are used.
struct ExtentReads {
  /// Longer chains of nodes that pick are not followed.
  private static let chainLimit = 8

  private let graph: Graph
  private let facts: GraphFacts
  /// The indices found for values on the way.
  private var known: [ValueID: [Int]] = [:]

  /// The indices of `value`, a vector, whose elements its uses take. A use that picks elements
  /// (Gather, Slice, Split, ...) takes those that are taken of its results in turn; any other takes all.
  static func indices(of value: ValueID, _ graph: Graph, _ facts: GraphFacts) -> [Int] {
    var reads = ExtentReads(graph: graph, facts: facts)
    return reads.indices(of: value, chain: 0)
  }

  private init(graph: Graph, facts: GraphFacts) {
    self.graph = graph
    self.facts = facts
  }

  private mutating func indices(of value: ValueID, chain: Int) -> [Int] {
    if let known = known[value] { return known }
    let found = findIndices(of: value, chain: chain)
    known[value] = found
    return found
  }

  private mutating func findIndices(of value: ValueID, chain: Int) -> [Int] {
    guard let shape = facts[value].fixedShape else { return [] }
    let all = Array(0..<(shape.first ?? 1))
    var used = Set<Int>()
    for use in graph[value].uses {
      guard case .operand(let id, _) = use, chain < Self.chainLimit,
        let picked = PickedElements(of: id, graph, facts)
      else { return all }
      for case let output? in graph[id].outputs where !graph[output].uses.isEmpty {
        guard let elements = picked.elements(of: output) else { return all }
        let taken =
          facts[output].fixedShape == nil
          ? Array(elements.indices) : indices(of: output, chain: chain + 1)
        for index in taken where index < elements.count {
          switch elements[index] {
          case .computed: return all
          case .picked(let origin): if origin.value == value { used.insert(origin.index) }
          case .constant: continue
          }
        }
      }
    }
    return used.sorted()
  }
}
