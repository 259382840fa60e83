/// Which elements of a vector of extents, read at run time, are used.
enum ExtentReads {
  /// The indices of `value`, a vector, whose elements its uses take. A use that picks elements
  /// (Gather, Slice, Split, ...) takes those; any other takes all.
  static func indices(of value: ValueID, _ graph: Graph, _ facts: GraphFacts) -> [Int] {
    guard let length = facts[value].fixedShape?.first else { return [] }
    var used = Set<Int>()
    for use in graph[value].uses {
      guard case .operand(let id, _) = use, let picked = PickedElements(of: id, graph, facts)
      else { return Array(0..<length) }
      for case let output? in graph[id].outputs where !graph[output].uses.isEmpty {
        for element in picked.elements(of: output) ?? [.computed] {
          switch element {
          case .computed: return Array(0..<length)
          case .picked(let origin): if origin.value == value { used.insert(origin.index) }
          case .constant: continue
          }
        }
      }
    }
    return used.sorted()
  }
}
