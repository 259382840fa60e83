import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Where an element of a vector of integers, such as the target of a Reshape, comes from: an element
/// of another value that reaches it unchanged, through nodes that only pick and join.
package struct ElementOrigin: Hashable, Sendable {
  package let value: ValueID
  /// The element's index in the value, a scalar or a vector.
  package let index: Int

  package init(_ value: ValueID, _ index: Int) {
    self.value = value
    self.index = index
  }

  /// The origin of element `index` of `value`: the first value on the way up that is not picked or
  /// joined from others.
  package static func of(_ value: ValueID, _ index: Int, _ graph: Graph, _ facts: GraphFacts)
    -> ElementOrigin
  {
    var origin = ElementOrigin(value, index)
    while let node = graph[origin.value].definingNode,
      let picked = PickedElements(of: node, graph, facts),
      let next = picked.origin(of: origin)
    {
      origin = next
    }
    return origin
  }
}

/// How a node that picks elements of integer vectors and scalars, and joins them (Gather, Slice, Concat,
/// Unsqueeze, Cast, ...), puts its results together.
///
/// No list of operators: the node is evaluated on marked elements, twice and with the marks in
/// different orders (or the node may look for the greatest). What comes out as the mark of the same
/// element both times is picked, what is the same number both times is constant.
package struct PickedElements {
  /// An element of a result.
  package enum Element: Hashable, Sendable {
    case picked(ElementOrigin)
    case constant(Int)
    case computed
  }

  /// Vectors of shape arithmetic are short.
  private static let elementLimit = 256

  private let results: [ValueID: [Element]]

  /// `nil` where the node has operands that are neither constants nor short integer vectors or
  /// scalars, or cannot be evaluated.
  package init?(of id: NodeID, _ graph: Graph, _ facts: GraphFacts) {
    guard let (found, call) = facts.invocation(of: id) else { return nil }
    var origins: [ElementOrigin] = []
    for (index, operand) in call.operands.enumerated() {
      guard let operand, operand.constant == nil else { continue }
      guard let shape = operand.fixedShape, shape.count <= 1,
        let type = operand.elementType, type == .int64 || type == .int32,
        (shape.first ?? 1) <= Self.elementLimit, let value = graph[id].inputs[index]
      else { return nil }
      origins += (0..<(shape.first ?? 1)).map { ElementOrigin(value, $0) }
    }
    guard !origins.isEmpty, origins.count <= Self.elementLimit else { return nil }

    let forwards = Self.marks(origins.count, seed: 1)
    let backwards = Self.marks(origins.count, seed: 2).reversed() as [Int]
    guard let once = Self.evaluate(found, call, forwards),
      let again = Self.evaluate(found, call, backwards)
    else { return nil }
    var elements: [ValueID: [Element]] = [:]
    for (index, output) in graph[id].outputs.enumerated() where index < once.count {
      guard let output, let first = once[index], let second = again[index],
        first.count == second.count
      else { continue }
      elements[output] = zip(first, second).map { a, b in
        if let mark = forwards.firstIndex(of: a), mark == backwards.firstIndex(of: b) {
          return .picked(origins[mark])
        }
        return a == b ? .constant(a) : .computed
      }
    }
    results = elements
  }

  /// Increasing numbers that fit 32 bits and that no node is likely to come up with.
  private static func marks(_ count: Int, seed: UInt64) -> [Int] {
    var generator = SplitMix64(seed: seed)
    var drawn: Set<Int> = []
    while drawn.count < count { drawn.insert(Int(generator.next() >> 34) | 1 << 29) }
    return drawn.sorted()
  }

  /// The elements of the results for operands with the given elements; `nil` for a result that is no
  /// integer vector or scalar.
  private static func evaluate(
    _ found: any Operator, _ call: Invocation, _ marks: [Int]
  ) -> [[Int]?]? {
    var rest = marks[...]
    let operands = call.operands.map { operand -> Tensor? in
      guard let operand else { return nil }
      if let constant = operand.constant { return constant }
      let shape = operand.fixedShape!
      defer { rest = rest.dropFirst(shape.first ?? 1) }
      let elements = rest.prefix(shape.first ?? 1)
      return operand.elementType == .int32
        ? Tensor(.int32, shape: shape, elements: elements.map(Int32.init))
        : Tensor(.int64, shape: shape, elements: elements.map(Int64.init))
    }
    var marked = Invocation(
      signature: call.signature, opset: call.opset, attributes: call.attributes,
      operands: operands.map { $0.map { ValueFacts(constant: $0) } }, results: call.results,
      location: call.location)
    guard let inferred = try? found.inferFacts(marked),
      inferred.allSatisfy({ ($0.fixedShape?.checkedElementCount ?? .max) <= elementLimit })
    else { return nil }
    marked.results = inferred
    guard let results = try? found.evaluate(marked, operands) else { return nil }
    return results.map { $0.elementType.isInteger && $0.rank <= 1 ? $0.integers : nil }
  }

  /// The elements of a result; `nil` where it is no integer vector or scalar.
  package func elements(of result: ValueID) -> [Element]? { results[result] }

  /// The element that `element`, of a result, was picked from; `nil` where it is not picked.
  func origin(of element: ElementOrigin) -> ElementOrigin? {
    guard let elements = results[element.value], elements.indices.contains(element.index),
      case .picked(let origin) = elements[element.index]
    else { return nil }
    return origin
  }
}
