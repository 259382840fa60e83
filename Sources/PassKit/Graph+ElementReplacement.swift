import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

extension Graph {
  /// Makes the elements `numbers`, by index, of an operand that is a computed int64 vector these numbers.
  ///
  ///     t = Concat(n, [12, 64])   =>   t = Concat(n, [12, 32])
  ///
  /// where constants that nothing else uses are joined into the operand, and otherwise
  ///
  ///     y = Expand(x, t)          =>   y = Expand(x, Gather(Concat(t, [32]), [0, 1, 3]))
  ///
  /// `facts` tell the lengths of the vectors involved.
  package mutating func replaceElements(
    _ numbers: [Int: Int], ofOperand operand: Int, of node: NodeID, _ facts: GraphFacts
  ) {
    let vector = self[node].inputs[operand]!
    let constants = joinedConstants(of: vector, replacing: numbers, facts)
    if !constants.isEmpty {
      for (constant, tensor) in constants { setTensor(of: constant, to: tensor) }
      return
    }
    let length = facts[vector].fixedShape![0]
    let order = numbers.keys.sorted()
    var indices = Array(0..<length)
    for (position, index) in order.enumerated() { indices[index] = length + position }
    let replaced = build(before: node, stem: self[vector].name) { build in
      let added = build.addConstant(Tensor(order.map { numbers[$0]! }), "numbers")
      let picked = build.addConstant(Tensor(indices), "indices")
      let joined = build.add("Concat", [vector, added], [Attribute("axis", 0)])
      return build.add("Gather", [joined, picked])
    }
    setInput(operand, of: node, to: replaced)
  }

  /// The constants, with their new elements, whose change makes `numbers` of the vector that they are
  /// joined into; none where not every number is in a constant that nothing else uses.
  private func joinedConstants(
    of vector: ValueID, replacing numbers: [Int: Int], _ facts: GraphFacts
  ) -> [(ValueID, Tensor)] {
    guard self[vector].uses.count == 1, let join = self[vector].definingNode,
      self[join].operation == OperationName("Concat")
    else { return [] }
    var changed: [(ValueID, Tensor)] = []
    var found = 0
    var start = 0
    for case let input? in self[join].inputs {
      guard let length = facts[input].fixedShape?.first else { return [] }
      let own = numbers.filter { (start..<(start + length)).contains($0.key) }
      if !own.isEmpty {
        guard let constant = self[input].constant, self[input].uses.count == 1 else { return [] }
        var elements = constant.integers
        for (index, number) in own { elements[index - start] = number }
        changed.append((input, Tensor(elements)))
      }
      found += own.count
      start += length
    }
    return found == numbers.count ? changed : []
  }
}
