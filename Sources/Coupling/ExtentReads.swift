/// Which elements of a vector of extents, read at run time, are used.
enum ExtentReads {
  /// The indices of `value`, a vector, whose elements its uses take. A use that picks elements by
  /// constant indices (Gather, Slice, Split, ...) takes those; any other takes all.
  static func indices(of value: ValueID, _ graph: Graph, _ facts: GraphFacts) -> [Int] {
    guard let length = facts[value].fixedShape?.first else { return [] }
    var used = Set<Int>()
    for use in graph[value].uses {
      guard case .operand(let id, 0) = use,
        let picked = pickedIndices(by: id, length: length, graph, facts)
      else { return Array(0..<length) }
      used.formUnion(picked)
    }
    return used.sorted()
  }

  /// The indices that a node picks from its first operand, a vector of `length` elements; `nil` if it
  /// does anything but pick.
  ///
  /// No list of operators: the node is evaluated on a vector of marked elements, and picks if nothing
  /// but marks comes out, at the same places when the marks are in the opposite order (or the node
  /// may look for the greatest).
  private static func pickedIndices(
    by id: NodeID, length: Int, _ graph: Graph, _ facts: GraphFacts
  ) -> [Int]? {
    var generator = SplitMix64(seed: 0)
    let marks = (0..<length).map { _ in Int(generator.next() >> 24) }.sorted()
    guard let picked = picked(by: id, from: marks, graph, facts),
      picked == self.picked(by: id, from: marks.reversed(), graph, facts)
    else { return nil }
    return picked
  }

  private static func picked(
    by id: NodeID, from marks: [Int], _ graph: Graph, _ facts: GraphFacts
  ) -> [Int]? {
    guard let (found, call) = facts.invocation(of: id) else { return nil }
    let operands = [ValueFacts(constant: Tensor(marks))] + call.operands.dropFirst()
    guard operands.allSatisfy({ $0 == nil || $0?.constant != nil }) else { return nil }
    let marked = Invocation(
      signature: call.signature, opset: call.opset, attributes: call.attributes,
      operands: operands, results: call.results, location: call.location)
    guard let inferred = try? found.inferFacts(marked),
      inferred.allSatisfy({ ($0.fixedShape?.checkedElementCount ?? .max) <= marks.count }),
      let results = try? found.evaluate(marked, operands.map { $0?.constant })
    else { return nil }
    var picked: [Int] = []
    let used = zip(results, graph[id].outputs).filter { _, output in
      output.map { !graph[$0].uses.isEmpty } ?? false
    }
    for (result, _) in used {
      guard result.elementType.isInteger else { return nil }
      for element in result.integers {
        guard let index = marks.firstIndex(of: element) else { return nil }
        picked.append(index)
      }
    }
    return picked
  }
}
