import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Takes the numbers out of vectors of extents that are computed in part.
///
///     s = Shape(x)                              s = Shape(x)
///     t = Concat(Gather(s, [0]), Div(...))  =>  t = Concat(Gather(s, [0]), [12, 64])
///     y = Expand(z, t)                          y = Expand(z, t)
///
/// A number that inference knows need not be computed, and what it would have been computed from may
/// then be cut: the coupling pins an axis whose extent is read for anything but what has to be known at
/// run time.
///
/// Legal where
/// 1. the vector is of an integer type, of known length, and inference knows some of its elements;
/// 2. what uses it is no shape arithmetic itself: that is left for `eliminate-dead-nodes`.
package struct SeparateShapeConstants: Pass {
  package static let name = "separate-shape-constants"
  package static let summary = "take known numbers out of computed vectors of extents"
  package static let effect = Effect.preserving(tolerance: 0)

  private static let lengthLimit = 64

  package init(options: inout OptionReader) throws(CompileError) {}

  /// A run of elements of the vector.
  private enum Part: Equatable {
    case numbers([Int])
    /// Elements of a value, by index.
    case elements(ValueID, [Int])
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for id in graph.valueIDs where Int(id.rawValue) < facts.valueCount {
      guard let node = graph.value(id)?.definingNode else { continue }
      let uses = graph[id].uses.compactMap { use -> (NodeID, Int)? in
        guard case .operand(let node, let index) = use, !isArithmetic(node, graph, facts) else {
          return nil
        }
        return (node, index)
      }
      guard !uses.isEmpty, let parts = parts(of: id, graph, facts),
        parts != current(id, graph, facts)
      else { continue }
      let vector = build(parts, like: id, after: node, &graph, facts)
      for (node, index) in uses { graph.setInput(index, of: node, to: vector) }
    }
  }

  /// Whether a node's results are shape arithmetic again.
  private func isArithmetic(_ node: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Bool {
    graph[node].outputs.allSatisfy { output in
      guard let output, let shape = facts[output].fixedShape else { return output == nil }
      return shape.count <= 1 && (shape.first ?? 1) <= Self.lengthLimit
        && facts[output].elementType?.isFloatingPoint == false
    }
  }

  // MARK: Find

  /// The vector in parts; `nil` where it is not one of numbers and computed elements.
  private func parts(of id: ValueID, _ graph: Graph, _ facts: GraphFacts) -> [Part]? {
    guard graph[id].constant == nil, let shape = facts[id].fixedShape, shape.count == 1,
      shape[0] <= Self.lengthLimit, facts[id].elementType == .int64,
      let integers = facts[id].integers, integers.contains(where: { $0.number != nil }),
      integers.contains(where: { $0.number == nil })
    else { return nil }
    var parts: [Part] = []
    for (index, integer) in integers.enumerated() {
      if let number = integer.number {
        if case .numbers(let numbers)? = parts.last {
          parts[parts.count - 1] = .numbers(numbers + [number])
        } else {
          parts.append(.numbers([number]))
        }
        continue
      }
      let origin = ElementOrigin.of(id, index, graph, facts)
      guard facts[origin.value].elementType == .int64 else { return nil }
      if case .elements(origin.value, let others)? = parts.last {
        parts[parts.count - 1] = .elements(origin.value, others + [origin.index])
      } else {
        parts.append(.elements(origin.value, [origin.index]))
      }
    }
    return parts
  }

  /// The parts that the vector is joined from already; `nil` where it is joined otherwise.
  private func current(_ id: ValueID, _ graph: Graph, _ facts: GraphFacts) -> [Part]? {
    guard let node = graph[id].definingNode, graph[node].operation == OperationName("Concat") else {
      return nil
    }
    var parts: [Part] = []
    for case let input? in graph[node].inputs {
      if let constant = graph[input].constant {
        guard constant.hasData else { return nil }
        parts.append(.numbers(constant.integers))
        continue
      }
      let count = facts[input].fixedShape?.first ?? 0
      let origins = (0..<count).map { ElementOrigin.of(input, $0, graph, facts) }
      guard let value = origins.first?.value, origins.allSatisfy({ $0.value == value }),
        reaches(value, from: input, graph)
      else { return nil }
      parts.append(.elements(value, origins.map(\.index)))
    }
    return parts
  }

  /// Whether `value` is all that is computed on the way up from `input`.
  private func reaches(_ value: ValueID, from input: ValueID, _ graph: Graph) -> Bool {
    var current = input
    while current != value {
      guard let node = graph[current].definingNode else { return false }
      let computed = graph[node].inputs.compactMap { $0 }.filter { graph[$0].constant == nil }
      guard computed.count == 1 else { return false }
      current = computed[0]
    }
    return true
  }

  // MARK: Perform

  private func build(
    _ parts: [Part], like id: ValueID, after node: NodeID, _ graph: inout Graph,
    _ facts: GraphFacts
  ) -> ValueID {
    graph.build(at: .after(node), standingFor: [node], stem: graph[id].name) { build in
      let joined = parts.map { part -> ValueID in
        switch part {
        case .numbers(let numbers): return build.addConstant(Tensor(numbers), "numbers")
        case .elements(let value, let indices):
          let isWhole = facts[value].fixedShape == [indices.count]
          if isWhole, indices == Array(indices.indices) { return value }
          // A scalar becomes a vector by a Reshape, which every operator set has alike.
          if facts[value].rank == 0 {
            return build.add("Reshape", [value, build.addConstant(Tensor([1]), "one")])
          }
          return build.add("Gather", [value, build.addConstant(Tensor(indices), "indices")])
        }
      }
      return build.add("Concat", joined, [Attribute("axis", 0)])
    }
  }
}
